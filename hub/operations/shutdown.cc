#include "hub/operations/shutdown.h"

#include <utility>

#include "hub/operations/stop.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kGrace{5000};

/// All that have anything alive.
std::vector<std::uint64_t> live_processes(Context& context) {
    std::vector<std::uint64_t> live;
    for (const auto process : context.registry.numbers()) {
        const auto& files = context.registry.look(process);
        const bool is_doubtful = !context.registry.doubt(files).empty();
        if (is_doubtful) context.registry.refresh(process);  // looks for its mark
        const bool may_live = is_doubtful && context.registry.table().rows().at(process).alive;
        if (has_live_main(files) || files.lifecycle().descendants > 0 || may_live) live.push_back(process);
    }
    return live;
}

std::string problem_of(const Context& context, std::uint64_t process,
                       const std::variant<StopResult, Refusal>& result) {
    if (const auto* refusal = std::get_if<Refusal>(&result)) return refusal->what();
    std::string text = describe(context.registry.files(process)) + " has survivors:";
    for (const auto& survivor : std::get<StopResult>(result).survivors)
        text += " pid " + std::to_string(survivor.pid) + " " + survivor.command;
    return text;
}

struct ShutdownCall {
    OnResult<ShutdownResult> then;
    ShutdownResult result;
    std::size_t waiting = 0;
};

}  // namespace

Call shutdown(Context& context, ShutdownProcesses processes, OnResult<ShutdownResult> then) {
    const auto call = std::make_shared<ShutdownCall>(ShutdownCall{std::move(then), {}, 0});
    const auto live = live_processes(context);
    if (!live.empty() && processes == ShutdownProcesses::unsaid) {
        std::string names;
        for (const auto process : live)
            names += (names.empty() ? "" : ", ") + describe(context.registry.files(process));
        call->then(Refusal(Refusal::Kind::usage,
                           "there are live processes: " + names +
                               "; say processes: \"stop\" to stop them, or \"leave\" to end only "
                               "the hub"));
        return call;
    }
    if (live.empty() || processes == ShutdownProcesses::leave) {
        call->result.left = live;
        call->then(call->result);
        context.end_hub();
        return call;
    }
    call->waiting = live.size();
    for (const auto process : live) {
        // it goes on without its caller: half a shutdown helps nobody
        stop_process(context, process, SIGTERM, kGrace,
                     [&context, call, process](const std::variant<StopResult, Refusal>& result) {
                         const auto* stopped = std::get_if<StopResult>(&result);
                         const bool is_gone = stopped != nullptr && stopped->survivors.empty();
                         if (!is_gone) call->result.problems.push_back(problem_of(context, process, result));
                         (is_gone ? call->result.stopped : call->result.left).push_back(process);
                         if (--call->waiting > 0) return;
                         call->then(call->result);
                         context.end_hub();
                     });
    }
    return call;
}

}  // namespace pp::hub
