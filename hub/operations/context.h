#pragma once

#include <functional>
#include <string>

#include "hub/event_loop.h"
#include "hub/history/history.h"
#include "hub/hub_status.h"
#include "hub/log.h"
#include "hub/operations/caller.h"
#include "hub/operations/environments.h"
#include "hub/process/ids.h"
#include "hub/process/registry.h"
#include "hub/sandbox.h"
#include "hub/shims/fleet.h"
#include "hub/worker.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// What operations work on. Knows nothing of how they are asked.
struct Context {
    EventLoop& loop;
    Worker& worker;
    const rundir::Home& home;
    const Log& log;
    Registry& registry;
    Fleet& fleet;
    History& history;
    Environments& environments;
    Ids& ids;
    const Sandbox& sandbox;
    std::function<HubStatus(const Caller&)> hub_status;  ///< as the caller is told it
    std::function<void()> end_hub;                       ///< once what is being answered has been answered
    std::vector<std::int64_t> default_limits;  ///< as in Launch; for callers that bring none
};

/// How a caller names a process in an argument.
struct Target {
    std::string process;
    std::string project;  ///< the argument; empty: the caller's
};

/// In what sandbox that runs which is started here, as far as the caller can be told; empty: in none.
std::string sandbox_for(const Context& context, const Caller& caller);

/// The process that is meant. Throws Refusal: ambiguous with all hits, not found with the nearest.
std::uint64_t resolve(const Context& context, const Target& target, const Caller& caller);

/// "p3 (web, npm run dev in /x)", for messages.
std::string describe(const rundir::ProcessFiles& files);

/// Throws Refusal if its page does not tell whether it runs: then a stop is all that can be done with it.
void refuse_doubtful(const Context& context, const rundir::ProcessFiles& files);

/// Throws Refusal if the caller itself runs in the process's tree: it would end itself before it hears the
/// answer.
void refuse_own_tree(const Context& context, std::uint64_t process, const Caller& caller);

}  // namespace pp::hub
