#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "protocol/rundir/event_log.h"

namespace pp::hub {

/// An event of a process, as its shim numbered and wrote it.
struct ShimEvent {
    std::uint64_t process = 0;
    rundir::Event event;
};

/// Kind of the event that says: those of this process from here to `cursor` are missing for ever.
inline constexpr auto kMissingEvents = static_cast<rundir::EventKind>(0);

/// Stand in the history: numbers are never changed or used again.
enum class HubEventKind : std::uint32_t {
    hub_started = 1,
    hub_stopped = 2,       ///< in order; one that was killed leaves none
    keeper_lost = 3,       ///< the keeper has died
    shim_given_up = 4,     ///< a process's shim does not come up: nobody looks after it
    cleared = 5,           ///< a process was forgotten; text = its name
    history_replaced = 6,  ///< what is told from here on stands in a new file
};

/// What the hub itself saw happen.
struct HubEvent {
    HubEventKind kind{};
    std::uint64_t process = 0;  ///< 0: of no process
    std::int64_t time_ns = 0;   ///< wall clock
    std::string text;           ///< for a person
};

using AnyEvent = std::variant<ShimEvent, HubEvent>;

/// With its number among all events of all processes. These grow in the order in which the hub came to know
/// the events, and are never given twice, also over a history that was lost.
struct NumberedEvent {
    std::uint64_t number = 0;
    AnyEvent event;
};

inline std::uint64_t process_of(const AnyEvent& event) {
    return std::visit([](const auto& one) { return one.process; }, event);
}

}  // namespace pp::hub
