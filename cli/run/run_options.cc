#include "cli/run/run_options.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/arguments.h"
#include "cli/caller.h"
#include "cli/failure.h"
#include "protocol/wire/codec.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// How long --detach watches a silent program: long enough for one that fails at once, too short to be a
/// wait.
constexpr double kSettleSeconds = 0.4;
constexpr std::string_view kShellSyntax = " \t\n|&;<>()$`\"'\\*?[]{}#~=!%";

OnExit parse_on_exit(const std::string& text) {
    if (text == "ask") return OnExit::ask;
    if (text == "stop") return OnExit::stop;
    if (text == "detach") return OnExit::detach;
    throw Failure{Exit::usage, "--on-exit is '" + text + "'; it must be ask, stop or detach"};
}

std::map<std::string, std::string> parse_environment(const std::vector<std::string>& given) {
    std::map<std::string, std::string> environment;
    for (const auto& entry : given) {
        const auto equals = entry.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Failure{Exit::usage, "--env is '" + entry + "'; it must be NAME=VALUE"};
        environment[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return environment;
}

std::string text_of(const json& arguments) {
    try {
        return arguments.dump();
    } catch (const json::type_error&) {
        throw Failure{Exit::usage, "a name, label, directory or variable is not valid UTF-8"};
    }
}

}  // namespace

bool RunOptions::is_string() const {
    return command.size() == 1 && command.front().find_first_of(kShellSyntax) != std::string::npos;
}

RunOptions parse_run(const Words& words) {
    RunOptions options;
    std::optional<std::string> on_exit;
    std::vector<std::string> environment;
    bool raw = false;
    Arguments arguments{"run",
                        "Run a command under pp, or join it if it runs already, and show its output.\n"
                        "Usage: pp run [OPTIONS] [--] COMMAND [ARGUMENT...]"};
    arguments.option("--name", options.name, "NAME", "call it this, instead of after its command");
    arguments.option("--label", options.label, "TEXT", "free text to find it by");
    arguments.option("--dir", options.directory, "DIR", "run it there, instead of here");
    arguments.option("--env", environment, "NAME=VALUE", "set in its environment; may be repeated");
    arguments.option("--on-exit", on_exit, "WHAT", "what Ctrl-C does: ask, stop or detach (ask)");
    arguments.flag("--replace,--fresh", options.replace, "stop one that runs already, and start anew");
    arguments.flag("-d,--detach", options.detach, "start it, print it and return");
    arguments.flag("-i,--stdin", options.pass_stdin, "pass standard input on to it");
    arguments.flag("--pty", options.terminal, "run it on a terminal of its own, in the size of this one");
    arguments.option("--streams", options.streams, "HOW",
                     "stdout and stderr in one pipe or two: merged or split");
    arguments.option("--log-size", options.log_size, "SIZE", "bytes of output kept: 64K to 1G (16M)");
    arguments.flag("--raw", raw, "reserved: what the command wrote is shown as it is anyway");
    arguments.flag("--json", options.json, "with -d: print it as JSON");

    const auto ours = static_cast<std::ptrdiff_t>(arguments.leading_options(words));
    arguments.parse({words.begin(), words.begin() + ours});
    options.command.assign(words.begin() + ours, words.end());
    if (!options.command.empty() && options.command.front() == "--")
        options.command.erase(options.command.begin());

    if (on_exit) options.on_exit = parse_on_exit(*on_exit);
    options.environment = parse_environment(environment);
    if (options.streams && *options.streams != "merged" && *options.streams != "split")
        throw Failure{Exit::usage, "--streams is '" + *options.streams + "'; it must be merged or split"};
    if (options.terminal && options.streams)
        throw Failure{Exit::usage, "--pty and --streams exclude each other: a terminal has one stream"};
    if (options.terminal && options.pass_stdin)
        throw Failure{
            Exit::usage,
            "--pty and --stdin exclude each other for now: this terminal would echo every line once more; "
            "leave --stdin out, and type with: pp send NAME TEXT --enter"};
    if (options.json && !options.detach)
        throw Failure{Exit::usage, "--json needs --detach: else output is shown"};
    if (options.command.empty())
        throw Failure{Exit::usage, "there is no command to run; such as: pp run npm run dev"};
    if (options.command.size() > wire::kMaxElements)
        throw Failure{Exit::usage, "the command has " + std::to_string(options.command.size()) +
                                       " words; at most " + std::to_string(wire::kMaxElements) + " are taken"};
    if (options.command.front().find_first_not_of(" \t\n") == std::string::npos)
        throw Failure{Exit::usage, "the command is empty; give a program, such as: pp run npm run dev"};
    return options;
}

wire::Request start_request(const Context& context, const RunOptions& options) {
    if (context.working_directory.empty() && !options.directory.value_or("").starts_with('/'))
        throw Failure{
            Exit::failed,
            "the directory you are in has been removed; give another with --dir, as an absolute path"};
    json arguments;
    if (options.directory) arguments["working_directory"] = *options.directory;
    arguments["wait"] = options.detach ? json{{"for", "settled"}, {"timeout", kSettleSeconds}} : json{{"for", "none"}};
    if (options.name) arguments["name"] = *options.name;
    if (!options.environment.empty()) arguments["environment"] = options.environment;
    if (options.replace) arguments["replace"] = true;
    if (options.terminal) arguments["mode"] = "pty";
    json more = json::object();
    if (options.label) more["label"] = *options.label;
    if (options.streams) more["streams"] = *options.streams;
    if (options.pass_stdin) more["stdin"] = "pipe";
    if (options.log_size) more["log"] = {{"size", *options.log_size}};
    if (!more.empty()) arguments["options"] = more;
    auto request = request_of_caller(context, "start", text_of(arguments));
    if (options.is_string())
        request.command = options.command.front();
    else
        request.argv = options.command;
    return request;
}

}  // namespace pp::cli
