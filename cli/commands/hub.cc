#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/arguments.h"
#include "cli/caller.h"
#include "cli/commands/commands.h"
#include "cli/commands/hub_commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"

namespace pp::cli {
namespace {

constexpr std::chrono::milliseconds kEndPatience{10'000};  // from its word that it ends to its end
constexpr std::chrono::seconds kStartPatience{5};          // for one that is starting

int show_status(const Context& context, bool as_json) {
    const auto answer = ask_hub(context, "hub_status", "{}");
    print(as_json ? answer.result + "\n" : hub_text(nlohmann::json::parse(answer.result)));
    return code(Exit::done);
}

bool executes_hub(const os::PidFd& process) {
    const auto program = os::find_program_path(process.pid());
    return program && program->ends_with("/pp-hub") && !process.ended();
}

/// Held by descriptor before it was looked at, so it is that one which gets the signal.
void kill(const os::PidFd& hub, const std::string& why) {
    hub.send_signal(SIGKILL);
    hub.wait_for_end();
    say("the hub (pid " + std::to_string(hub.pid()) + ") " + why + ", and was killed; processes live on");
}

void wait_for_end(const os::PidFd& hub) {
    pollfd polled{hub.get(), POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(kEndPatience.count())) == 1) return;
    kill(hub, "said that it would end and did not");
}

/// One that nobody can talk to: it is just starting, or it hangs at that. False if there is none.
bool end_starting_hub(const Context& context) {
    const auto lock = context.home.hub_lock();
    if (!os::OfdLock::is_held(lock, os::OfdLock::kStarting)) return false;
    if (os::OfdLock::take_within(lock, os::OfdLock::kStarting, kStartPatience)) return stop_hub(context);
    const auto hub = os::PidFd::find(os::OfdLock::find_holder(lock, os::OfdLock::kStarting));
    if (!hub || !executes_hub(*hub)) return false;
    kill(*hub, "has been starting for " + std::to_string(kStartPatience.count()) + " s");
    return true;
}

}  // namespace

bool stop_hub(const Context& context) {
    const auto hub = find_hub(context.home);
    if (!hub) return end_starting_hub(context);
    os::Loop loop;
    HubClient client{loop, context};
    const auto answer = client.wait_for("hub_stop", "{}");
    if (answer.hangs && executes_hub(*hub)) {
        kill(*hub, "did not answer");
        return true;
    }
    if (!answer.lost) required(answer);
    wait_for_end(*hub);
    return true;
}

namespace {

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
                         "start, stop, restart, status (the default), upgrade: hand everything over to the programs that lie "
                         "here now, or serve: be the hub, here");
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
    if (asked == "upgrade") return upgrade(context, as_json);
    throw Failure{Exit::usage, "'hub " + printable(asked) +
                                   "' is unknown; it must be start, stop, restart, status, upgrade or serve"};
}

}  // namespace pp::cli
