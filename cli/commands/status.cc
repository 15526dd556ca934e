#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/target.h"
#include "protocol/os/error.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

json log_json(const Context& context, const rundir::ProcessFiles& files) {
    try {
        auto reader = ring::Reader::find(rundir::ring_paths(context.home, files.number));
        if (!reader) return nullptr;
        const auto bounds = reader->bounds();
        const auto& life = reader->state().lifecycle;
        const auto error = static_cast<int>(life.capture_error);
        return {{"begin", bounds.begin},
                {"end", bounds.end},
                {"capacity", reader->state().geometry.capacity},
                {"dropped_bytes", life.dropped_bytes},
                {"capture_error", error == 0 ? json{} : json(os::error_text(error))},
                {"read_fallback", life.read_fallback != 0},
                {"unverified", reader->unverified()}};
    } catch (const std::exception& damage) {
        return {{"damage", damage.what()}};
    }
}

/// What files tell; what only a hub knows is null.
json status_from_files(const Context& context, const rundir::ProcessFiles& files) {
    const rundir::Launch launch = files.launch.value_or(rundir::Launch{});
    return {{"process", rundir::process_json(files, wall_clock_ns())},
            {"why", rundir::why(files)},
            {"argv", launch.argv},
            {"environment_source", launch.environment_source},
            {"streams", launch.streams},
            {"stdin", launch.stdin_mode},
            {"runs", nullptr},
            {"tree", nullptr},
            {"cpu_ms", nullptr},
            {"memory_kib", nullptr},
            {"log", log_json(context, files)},
            {"events", nullptr}};
}

int status_of_hub(const Context& context, bool as_json) {
    if (!find_hub(context.home)) {
        if (as_json)
            print(json_text({{"pid", nullptr}, {"home", context.home.run()}}) + "\n");
        else
            print("no hub runs; the next command that needs one starts it\n");
        return code(Exit::done);
    }
    const auto answer = ask_hub(context, "hub_status", "{}");
    print(as_json ? answer.result + "\n" : hub_text(json::parse(answer.result)));
    return code(Exit::done);
}

}  // namespace

int status_command(const Context& context, const Words& words) {
    std::optional<std::string> process;
    bool as_json = false;
    Arguments arguments{"status",
                        "All there is to know of a process; without one, of the hub. Starts no hub."};
    arguments.positional("NAME", process, "the process");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);
    if (!process) return status_of_hub(context, as_json);

    const auto files = find_target(context, *process);
    json status;
    if (find_hub(context.home)) {
        const json question{{"process", rundir::process_id(files.number)}};
        status = json::parse(ask_hub(context, "get_status", question.dump()).result);
    } else {
        status = status_from_files(context, files);
        say("no hub runs: this is what files tell");
    }
    print(as_json ? json_text(status) + "\n" : status_text(status));
    return code(Exit::done);
}

}  // namespace pp::cli
