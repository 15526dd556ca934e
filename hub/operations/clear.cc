#include "hub/operations/clear.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

namespace pp::hub {
namespace {

/// Empty, or why it must stay.
std::string why_kept(const Context& context, const rundir::ProcessFiles& files) {
    if (context.registry.is_beginning(files.number)) return "it is being started";
    if (has_live_main(files)) return "it is live; stop it first";
    if (files.lifecycle().descendants > 0)
        return "processes that it started live on (" + std::to_string(files.lifecycle().descendants) +
               "); stop it first";
    if (files.held) return "its output is still being read: something holds its pipes open";
    return {};
}

std::vector<std::uint64_t> meant(const Context& context, const ClearArguments& arguments,
                                 const Caller& caller) {
    if (!arguments.target.process.empty()) return {resolve(context, arguments.target, caller)};
    const std::string& project = arguments.target.project.empty() ? caller.project : arguments.target.project;
    std::vector<std::uint64_t> found;
    for (const auto& [number, row] : context.registry.table().rows()) {
        if (project.empty() || project == "all" || row.project == project) found.push_back(number);
    }
    return found;
}

}  // namespace

Call clear(Context& context, const ClearArguments& arguments, const Caller& caller,
           OnResult<ClearResult> then) {
    const auto call = std::make_shared<OnResult<ClearResult>>(std::move(then));
    try {
        ClearResult result;
        const bool is_one = !arguments.target.process.empty();
        for (const auto process : meant(context, arguments, caller)) {
            const auto files = context.registry.refresh(process);
            const auto why = why_kept(context, files);
            if (!why.empty() && is_one)
                throw Refusal(Refusal::Kind::failed, describe(files) + " was not cleared: " + why);
            if (!why.empty()) {
                result.kept.push_back({process, why});
                continue;
            }
            context.registry.forget(process);
            context.history.forget(process);
            result.cleared.push_back(process);
        }
        const std::weak_ptr<OnResult<ClearResult>> weak = call;
        context.worker.post([home = context.home, result, weak]() -> Worker::Then {
            for (const auto process : result.cleared) {
                std::error_code ignored;
                ::unlink(home.state_page(process).c_str());
                ::unlink(home.shim_socket(process).c_str());
                std::filesystem::remove_all(home.process(process), ignored);
            }
            return [result, weak] {
                if (const auto answer = weak.lock()) (*answer)(result);
            };
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
