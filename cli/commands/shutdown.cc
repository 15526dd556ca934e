#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/run/key_prompt.h"
#include "cli/target.h"
#include "protocol/os/ofd_lock.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// What descendants of a finished process do is nobody's to end unasked either.
std::vector<rundir::ProcessFiles> find_live(const Context& context) {
    auto all = read_all_processes(context.home);
    std::erase_if(all, [](const auto& one) { return !is_live(one) && one.lifecycle().descendants == 0; });
    return all;
}

/// "2 processes live (web (p1), what db (p2) started)"
std::string spoken(const std::vector<rundir::ProcessFiles>& live) {
    std::string names;
    for (const auto& one : live)
        names += (names.empty() ? "" : ", ") + (is_live(one) ? "" : std::string{"what is left of "}) +
                 spoken_name(one);
    return std::to_string(live.size()) + (live.size() == 1 ? " process lives (" : " processes live (") +
           names + ")";
}

/// "stop" or "leave".
std::string ask_person(const std::vector<rundir::ProcessFiles>& live) {
    if (!KeyPrompt::can_ask())
        throw Failure{Exit::failed,
                      spoken(live) + ": say --stop to end them too, or --leave to leave them running"};
    say(spoken(live) + ": [s]top them too, [l]eave them running, or [c]ancel? ");
    const RawKeys keys{STDIN_FILENO};
    char key = 0;
    while (::read(STDIN_FILENO, &key, 1) == 1) {
        if (key == 's') return "stop";
        if (key == 'l') return "leave";
        if (key == 'c' || key == '\x04') break;
    }
    throw Failure{Exit::failed, "nothing was ended"};
}

std::string named(const json& one) {
    if (one.is_object() && one.contains("id")) return process_line(one);
    return printable(one.is_string() ? one.get<std::string>() : one.dump());
}

}  // namespace

int shutdown_command(const Context& context, const Words& words) {
    bool stop = false;
    bool leave = false;
    bool as_json = false;
    Arguments arguments{"shutdown", "End hub and keeper, once nothing lives."};
    arguments.flag("--stop", stop, "stop the processes that live, first");
    arguments.flag("--leave", leave, "end the hub only, and leave them running");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);
    if (stop && leave) throw Failure{Exit::usage, "--stop and --leave exclude each other"};

    const auto live = find_live(context);
    if (live.empty() && !find_hub(context.home) && !os::OfdLock::is_held(context.home.keeper_lock())) {
        if (as_json)
            print(json{{"stopped", json::array()}, {"left", json::array()}, {"problems", json::array()}}
                      .dump() +
                  "\n");
        say("nothing of pp runs");
        return code(Exit::done);
    }
    json question = json::object();  // unsaid, the hub refuses if something has come to life meanwhile
    if (!stop && !leave && !live.empty()) leave = ask_person(live) == "leave";
    if (stop || leave || !live.empty()) question["processes"] = leave ? "leave" : "stop";

    const auto hub = find_or_start_hub(context);
    os::Loop loop;
    HubClient client{loop, context};
    const auto answer = required(client.wait_for("shutdown", question.dump()));
    hub.wait_for_end();
    const auto result = json::parse(answer.result);
    const auto left = result.value("left", json::array());
    const auto problems = result.value("problems", json::array());
    if (as_json) {
        print(answer.result + "\n");
    } else {
        for (const auto& one : result.value("stopped", json::array())) print(named(one) + " stopped\n");
        for (const auto& one : left) print(named(one) + " left running\n");
    }
    for (const auto& one : problems) say(named(one));
    const bool all_is_done = problems.empty() && (leave || left.empty());
    return code(all_is_done ? Exit::done : Exit::failed);
}

}  // namespace pp::cli
