#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::rundir {

// state/processes/p12/events: what happened to a process, numbered from 1 by its shim.
//
// Constraints: an event is on disk before anybody is told, so that it outlives shim and hub; the file is bounded. So: 4096
// slots of 160 bytes, slot = number % 4096, each with a checksum. Whoever was away for more than 4096 events learns from
// the numbers that some are missing. The next number is in the state page.

inline constexpr std::uint64_t kEventSlots = 4096;

enum class EventKind : std::uint32_t {
    started = 1,         ///< run, pid, start_time
    start_failed = 2,    ///< exit.value = errno, text = what failed
    stop_requested = 3,  ///< signal
    exited = 4,          ///< exit fields, cursor = end of what main wrote
    tree_gone = 5,       ///< main and all descendants have ended; survivors of a stop are told by `descendants`
    drained = 6,         ///< main has exited and every pipe reached EOF: the log is complete
    taken_over = 7,      ///< a successor shim goes on
    capture_fault = 8,   ///< exit.value = errno of the disk's refusal; 0: it takes bytes again
    input_closed = 9,    ///< stdin was closed on request
    resized = 10,        ///< the terminal; text = "24x80", rows and columns
};

/// Fixed layout: stands on disk.
struct Event {
    std::uint64_t number = 0;
    std::int64_t time_ns = 0;  ///< wall clock
    EventKind kind{};
    std::uint32_t run = 0;
    std::int32_t pid = 0;
    std::int32_t signal = 0;
    std::uint64_t start_time = 0;
    std::uint64_t cursor = 0;
    ring::ExitKind exit_kind = ring::ExitKind::none;
    std::int32_t exit_value = 0;
    std::uint32_t core_dumped = 0;
    std::uint32_t stop_requested = 0;
    std::uint64_t user_us = 0;
    std::uint64_t system_us = 0;
    std::uint64_t max_resident_kib = 0;
    std::uint32_t descendants = 0;
    std::uint32_t generation = 0;
    char text[56] = {};  ///< for a person, cut, NUL-ended
    std::uint64_t checksum = 0;
};
static_assert(sizeof(Event) == 160);

/// The shim's end: appends, never throws after construction. Room is taken ahead, so that a disk that fills up still has it
/// for some dozens of events; what it refuses then is kept here, and stored as soon as it can be.
class EventLog {
  public:
    /// Throws std::system_error if the file cannot be opened or made.
    explicit EventLog(const std::string& path);

    /// Numbers the event, stores it, and only then advances the page's next number.
    void append(const ring::StatePage& page, Event& event);
    /// Tries again to store what the disk has refused; true if nothing is left of that. A shim that ended before would lose it.
    bool store_refused();
    [[nodiscard]] bool has_refused() const { return !refused_.empty(); }
    /// After a reboot the page is new: goes on after the highest number that the file holds.
    [[nodiscard]] std::uint64_t next_number_on_disk() const;
    [[nodiscard]] std::optional<Event> find(std::uint64_t number) const;

  private:
    [[nodiscard]] bool store(const Event& event) const;
    void take_room(std::uint64_t number);

    os::UniqueFd fd_;
    std::uint64_t room_until_ = 0;         ///< bytes of the file that are known to be allocated
    std::map<std::uint64_t, Event> refused_;  ///< by number
};

/// Events numbered `from` and later that the file holds, in order. Empty where there is no file.
std::vector<Event> read_events(const std::string& path, std::uint64_t from);

}  // namespace pp::rundir
