#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "hub/history/numbered_event.h"
#include "protocol/rundir/launch.h"

namespace pp::hub {

/// One run as the history tells it. Times are wall clock in nanoseconds, 0 = not known.
struct RunRecord {
    std::uint32_t run = 0;
    int pid = 0;
    std::int64_t started_at_ns = 0;
    std::int64_t ended_at_ns = 0;
    ring::ExitKind exit_kind = ring::ExitKind::none;
    int exit_value = 0;
    bool core_dumped = false;
    bool stop_requested = false;
    std::uint64_t user_us = 0;
    std::uint64_t system_us = 0;
    std::uint64_t max_resident_kib = 0;
    std::optional<std::uint64_t> begin_cursor;
    std::optional<std::uint64_t> end_cursor;
};

/// Which events are asked for.
struct EventQuery {
    std::uint64_t since = 0;                      ///< only those with a higher number
    std::optional<std::int64_t> since_time_ns;    ///< only those of then and later
    std::optional<std::uint64_t> process;         ///< only those of this one
    std::function<bool(const AnyEvent&)> wanted;  ///< empty: all; called on the worker
    std::optional<std::size_t> last;              ///< of those that fit, only so many of the newest
    std::size_t limit = 1000;                     ///< at most so many at a time, the oldest first
    bool with_seen = false;                       ///< fill in EventPage::seen
};

struct EventPage {
    std::vector<NumberedEvent> events;  ///< ascending
    std::uint64_t number = 0;           ///< go on from there: nothing is missed or told twice
    bool more = false;                  ///< there are later ones that fit
    std::uint64_t newest = 0;           ///< highest number given so far
    /// The last event of each process, by its shim's number, among those up to `number`. What is told later
    /// of a process with no higher number was told before: by a history that has been replaced since.
    std::map<std::uint64_t, std::uint64_t> seen;
};

/// state/history.db: what happened, in SQLite (WAL, NORMAL). Losing it loses history, never a process.
/// Blocks, so it lives on a worker; what includes sqlite3.h is beside it (statement.h).
class Store {
  public:
    /// The file cannot be used any more: it goes aside, and a new one is filled from the processes' own
    /// files.
    class Damaged : public std::runtime_error {
      public:
        using std::runtime_error::runtime_error;
    };
    /// Locked by another, or the disk is full: the same may succeed later.
    class Unavailable : public std::runtime_error {
      public:
        using std::runtime_error::runtime_error;
    };

    /// Opens it, or makes it. `reserved_path`: the bound of the numbers given out (reserved_numbers.h).
    Store(const std::string& path, const std::string& reserved_path);
    /// It was made just now, or was not made to the end before: what the processes' files tell is not in it yet.
    [[nodiscard]] bool is_new() const;
    /// Somebody has removed the file or put another in its place: what is written here is seen by nobody.
    [[nodiscard]] bool is_gone() const;
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// In the order in which they became known; of each process ascending.
    using Events = std::vector<AnyEvent>;

    /// In one transaction. What a shim told already is passed over: nothing stands twice. A gap in a shim's
    /// numbers gets a row that says so.
    void record(const Events& events);
    void note_process(const rundir::Launch& launch);
    void note_hub(std::uint64_t epoch, int pid, std::int64_t time_ns, const std::string& version);
    /// Drops all that is told of a process but that it was cleared; its number is remembered, so that it is
    /// not given again.
    void forget(std::uint64_t process, std::int64_t time_ns);

    /// Highest number by process, of what was known when the event numbered `up_to` was.
    [[nodiscard]] std::map<std::uint64_t, std::uint64_t> last_events(std::uint64_t up_to = UINT64_MAX) const;
    [[nodiscard]] std::uint64_t last_event(std::uint64_t process) const;  ///< 0: none is known
    [[nodiscard]] std::uint64_t highest_process() const;
    [[nodiscard]] std::vector<RunRecord> runs(std::uint64_t process, int limit) const;  ///< newest first
    [[nodiscard]] std::vector<rundir::Event> events(std::uint64_t process,
                                                    int limit) const;  ///< newest first

    [[nodiscard]] EventPage find_events(const EventQuery& query) const;
    [[nodiscard]] std::uint64_t newest_number() const;  ///< of an event; 0: none was given yet

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Moves a damaged file (with its WAL) aside; returns its new name, or nothing if that is refused.
std::optional<std::string> move_aside(const std::string& path, std::int64_t now_ns);

}  // namespace pp::hub
