#include "hub/operations/list.h"

#include <algorithm>

#include "hub/refusal.h"
#include "protocol/rundir/nearest.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {

std::vector<std::string> listable_states() {
    return {"live", "starting", "building", "running", "stopping", "backoff", "finished", "damaged"};
}

namespace {

bool is_doubtful_and_alive(const Context& context, const rundir::ProcessFiles& files) {
    return !context.registry.doubt(files).empty() && context.registry.table().rows().at(files.number).alive;
}

}  // namespace

std::vector<const rundir::ProcessFiles*> list(const Context& context, const ListArguments& arguments,
                                              const Caller& caller) {
    const auto states = listable_states();
    if (!arguments.state.empty() &&
        std::find(states.begin(), states.end(), arguments.state) == states.end()) {
        const auto meant = rundir::find_nearest(arguments.state, states);
        throw Refusal(Refusal::Kind::usage, "there is no state '" + arguments.state + "'; " +
                                                (meant ? "did you mean '" + *meant + "'?"
                                                       : "give live, running, stopping or finished"));
    }
    const std::string project = arguments.project.empty() ? caller.project : arguments.project;
    static const rundir::Launch kUnknown;
    std::vector<const rundir::ProcessFiles*> found;
    context.registry.look_at_all();
    for (const auto number : context.registry.numbers()) {
        const auto& files = context.registry.files(number);
        const auto& launch = files.launch ? *files.launch : kUnknown;
        if (!project.empty() && project != "all" &&
            !rundir::belongs_to(launch.working_directory, launch.project, project))
            continue;
        if (!arguments.name.empty() && launch.name != arguments.name) continue;
        if (!arguments.owner.empty() && launch.owner_kind != arguments.owner &&
            launch.owner_client != arguments.owner)
            continue;
        const bool fits =
            arguments.state.empty() ||
            (arguments.state == "live" ? has_live_main(files) || is_doubtful_and_alive(context, files)
                                       : rundir::state_of(files) == arguments.state);
        if (fits) found.push_back(&files);
    }
    return found;
}

}  // namespace pp::hub
