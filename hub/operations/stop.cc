#include "hub/operations/stop.h"

#include <charconv>
#include <utility>

#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

/// "pid command" a line.
std::vector<Survivor> survivors_in(const std::string& detail) {
    std::vector<Survivor> found;
    for (std::size_t at = 0; at < detail.size();) {
        const auto end = std::min(detail.find('\n', at), detail.size());
        const std::string line = detail.substr(at, end - at);
        at = end + 1;
        Survivor survivor;
        const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), survivor.pid);
        if (error != std::errc{}) continue;
        survivor.command.assign(rest, line.data() + line.size());
        survivor.command.erase(0, survivor.command.find_first_not_of(' '));
        found.push_back(std::move(survivor));
    }
    return found;
}

/// Nothing of it lives, as its page tells.
bool is_gone(const Context& context, const rundir::ProcessFiles& files) {
    if (!context.registry.doubt(files).empty()) return false;
    const auto life = files.lifecycle();
    return life.run == 0 || (life.exit_kind != ring::ExitKind::none && life.descendants == 0 &&
                             life.state == ring::LifeState::finished);
}

}  // namespace

void stop_process(Context& context, std::uint64_t process, int signal, std::chrono::milliseconds grace,
                  OnResult<StopResult> then) {
    const auto& files = context.registry.look(process);
    if (is_gone(context, files) && !context.registry.is_beginning(process)) return then(StopResult{files, {}});
    wire::Stop stop;
    stop.run = files.lifecycle().run;
    stop.signal = signal;
    stop.grace_ms = static_cast<std::uint32_t>(grace.count());
    context.fleet.stop(
        process, stop, [&context, process, then = std::move(then)](const Roster::Answer& answer) {
            if (!context.registry.knows(process))
                return then(Refusal(Refusal::Kind::not_found,
                                    rundir::process_id(process) + " was cleared meanwhile"));
            const auto& after = context.registry.refresh(process);
            if (answer.kind == Roster::Answer::Kind::done || is_gone(context, after))
                return then(StopResult{after, survivors_in(answer.detail)});
            const std::string why = answer.text.empty() ? "its shim died meanwhile" : answer.text;
            then(Refusal(Refusal::Kind::failed, describe(after) + " could not be stopped: " + why));
        });
}

Call stop(Context& context, const StopArguments& arguments, const Caller& caller, OnResult<StopResult> then) {
    const auto call = std::make_shared<OnResult<StopResult>>(std::move(then));
    try {
        const auto process = resolve(context, arguments.target, caller);
        if (!arguments.force) refuse_own_tree(context, process, caller);
        const auto grace = arguments.force ? std::chrono::milliseconds{0} : arguments.timeout;
        const std::weak_ptr<OnResult<StopResult>> weak = call;
        stop_process(context, process, arguments.signal, grace,
                     [weak](const std::variant<StopResult, Refusal>& result) {
                         if (const auto answer = weak.lock()) (*answer)(result);
                     });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
