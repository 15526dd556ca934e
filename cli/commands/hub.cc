#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/caller.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"

namespace pp::cli {
namespace {

int show_status(const Context& context, bool as_json) {
    const auto answer = ask_hub(context, "hub_status", "{}");
    print(as_json ? answer.result + "\n" : hub_text(nlohmann::json::parse(answer.result)));
    return code(Exit::done);
}

/// Ends the hub and waits until it is gone; what it looks after lives on. False if there was none.
bool stop_hub(const Context& context) {
    const auto hub = find_hub(context.home);
    if (!hub) return false;
    os::Loop loop;
    HubClient client{loop, context};
    const auto answer = client.wait_for("hub_stop", "{}");
    if (!answer.lost) required(answer);
    hub->wait_for_end();
    return true;
}

int serve(const Context& context) {
    if (const auto hub = find_hub(context.home))
        throw Failure{Exit::failed,
                      "a hub runs already, pid " + std::to_string(hub->pid()) + "; 'pp hub stop' ends it"};
    const auto program = os::sibling_program("pp-hub");
    const os::CStrings argv{{program}};
    const os::CStrings environment{environment_for_hub(context)};
    std::signal(SIGPIPE, SIG_DFL);
    ::execve(program.c_str(), argv.get(), environment.get());
    os::throw_errno("execute", program);
}

}  // namespace

int hub_command(const Context& context, const Words& words) {
    std::optional<std::string> what;
    bool as_json = false;
    Arguments arguments{"hub", "The hub answers agents and people. Processes live without it."};
    arguments.positional("WHAT", what,
                         "start, stop, restart, status (the default), or serve: be the hub, here");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);

    const auto asked = what.value_or("status");
    if (asked == "status" && as_json && !find_hub(context.home))
        print(nlohmann::json{{"pid", nullptr}, {"home", context.home.run()}}.dump() + "\n");
    if (asked == "status" && !find_hub(context.home))
        throw Failure{Exit::no_hub, "no hub runs; processes live without it, and 'pp hub start' starts one"};
    if (asked == "start" || asked == "status") return show_status(context, as_json);
    if (asked == "stop") {
        print(stop_hub(context) ? "the hub has ended; processes live on\n" : "no hub runs\n");
        return code(Exit::done);
    }
    if (asked == "restart") {
        stop_hub(context);
        return show_status(context, as_json);
    }
    if (asked == "serve") return serve(context);
    if (asked == "upgrade") throw Failure{Exit::usage, "'hub upgrade' is not in this version yet"};
    throw Failure{Exit::usage, "'hub " + printable(asked) +
                                   "' is unknown; it must be start, stop, restart, status or serve"};
}

}  // namespace pp::cli
