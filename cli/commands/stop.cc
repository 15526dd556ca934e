#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/time_input.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

double seconds(std::chrono::milliseconds duration) {
    return static_cast<double>(duration.count()) / 1000;
}

void say_survivors(const json& result) {
    const auto survivors = result.value("survivors", json::array());
    for (const auto& one : survivors)
        say("still alive: pid " + one.value("pid", json{}).dump() + " " +
            printable(one.value("command", "")));
}

}  // namespace

int stop_command(const Context& context, const Words& words) {
    std::optional<std::string> process, signal, timeout;
    bool force = false;
    bool as_json = false;
    Arguments arguments{"stop", "Stop a process and its descendants: TERM, and KILL when the grace is over."};
    arguments.positional("NAME", process, "the process");
    arguments.flag("--force", force, "KILL at once");
    arguments.option("--signal", signal, "SIGNAL", "begin with this one: TERM, SIGINT, 2 (TERM)");
    arguments.option("--timeout", timeout, "TIME", "the grace (5s)");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);
    if (!process) throw Failure{Exit::usage, "there is no process named; such as: pp stop web"};

    json question{{"process", *process}};
    if (force) question["force"] = true;
    if (signal) {
        if (!rundir::find_signal(*signal))
            throw Failure{Exit::usage,
                          "--signal is '" + *signal + "'; it must be a signal such as TERM, SIGINT or 9"};
        question["signal"] = *signal;
    }
    if (timeout) question["timeout"] = seconds(parse_duration("--timeout", *timeout));
    const auto answer = ask_hub(context, "stop", json_text(question));
    const auto result = json::parse(answer.result);
    print(as_json ? answer.result + "\n" : process_line(result.at("process")) + "\n");
    say_survivors(result);
    return code(result.value("survivors", json::array()).empty() ? Exit::done : Exit::failed);
}

int restart_command(const Context& context, const Words& words) {
    std::optional<std::string> process, timeout;
    bool as_json = false;
    Arguments arguments{"restart", "Stop a process and start it again: same id, name and log, a new run."};
    arguments.positional("NAME", process, "the process");
    arguments.option("--timeout", timeout, "TIME", "the grace of the stop (5s)");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);
    if (!process) throw Failure{Exit::usage, "there is no process named; such as: pp restart web"};

    json question{{"process", *process}};
    if (timeout) question["timeout"] = seconds(parse_duration("--timeout", *timeout));
    const auto answer = ask_hub(context, "restart", json_text(question));
    const auto result = json::parse(answer.result);
    print(as_json ? answer.result + "\n" : process_line(result.at("process")) + "\n");
    say_sandbox(result);
    return code(Exit::done);
}

}  // namespace pp::cli
