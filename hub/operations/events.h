#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "hub/history/store.h"
#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

/// Which events are asked for, and whether to wait for them.
struct EventsArguments {
    Target target;            ///< one process, or a project; neither: all, the hub's own too
    std::uint64_t since = 0;  ///< only those with a higher number
    std::optional<std::int64_t> since_time_ns;  ///< only those of then and later
    std::optional<std::size_t> last;            ///< only so many of the newest
    std::size_t limit = 1000;
    std::set<std::string> kinds;  ///< names (history/event_names.h); empty: all
    bool wait = false;            ///< answer only when there is one
    bool with_seen = false;
};

struct EventsResult {
    EventPage page;
    std::string problem;  ///< empty, or why there may be more than this
};

/// What happened, oldest first. With `wait` it answers as soon as there is anything, however long that takes:
/// whoever goes on from the number of each answer misses nothing.
Call events(Context& context, const EventsArguments& arguments, const Caller& caller,
            OnResult<EventsResult> then);

}  // namespace pp::hub
