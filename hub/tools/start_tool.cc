#include "hub/operations/moment.h"
#include "hub/operations/start.h"
#include "hub/tools/arguments.h"
#include "hub/tools/output_view.h"
#include "hub/tools/tool_list.h"
#include "hub/tools/views.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

using nlohmann::json;

constexpr double kMaxWait = 3600;

const json& input_schema() {
    static const json kSchema = json::parse(R"({"type":"object","properties":{
"command":{"type":["string","array"],"items":{"type":"string"},"description":"One string (shell syntax is honoured), or program and arguments as an array, which no shell sees."},
"name":{"type":"string","description":"To name it by later; made of the command if left out."},
"working_directory":{"type":"string","description":"Absolute path. Default: the project's directory, if one is known."},
"project":{"type":"string","description":"Absolute path of the project it belongs to. Default: the nearest directory above with .git, pp.toml or .mcp-run."},
"environment":{"type":"object","additionalProperties":{"type":"string"},"description":"Variables to set, beside those of the person's last start in the project."},
"mode":{"type":"string","enum":["pipe","pty"],"default":"pipe","description":"pty: on a terminal, for programs that want one."},
"replace":{"type":"boolean","default":false,"description":"Stop a live one first and start it anew."},
"wait":{"type":"object","properties":{
"for":{"type":"string","enum":["settled","none","exit"],"default":"settled","description":"settled: exit, or 150 ms of quiet after first output."},
"timeout":{"type":"number","minimum":0,"maximum":3600,"description":"Seconds; then it answers with what there is. Default 1, for exit 50."}},"additionalProperties":false},
"options":{"type":"object","properties":{
"label":{"type":"string","description":"Free text. Default: <command> in <directory>."},
"rows":{"type":"integer","minimum":1,"maximum":1000,"default":24},
"cols":{"type":"integer","minimum":1,"maximum":1000,"default":80},
"streams":{"type":"string","enum":["split","merged"],"description":"split keeps stdout and stderr apart; merged keeps their exact order."},
"stdin":{"type":"string","enum":["null","pipe"],"default":"null","description":"pipe: send_input can write to it."},
"shell":{"type":["boolean","string"],"description":"Whether a shell runs a string command, or which."},
"log":{"type":"object","properties":{"size":{"type":["string","integer"],"description":"Bytes of output kept: 64K to 1G. Default 16M."}},"additionalProperties":false}},"additionalProperties":false}},
"required":["command"],"additionalProperties":false})");
    return kSchema;
}

json output_schema() {
    json schema = json::parse(R"({"type":"object","properties":{"already_running":{"type":"boolean"},
"begin_cursor":{"type":"integer"},"ended":{"type":"boolean"},"wait":{"type":"string"},"timed_out":{"type":"boolean"},
"sandbox":{"type":["string","null"]}},
"required":["process","already_running","output","cursor","lost_bytes","more","ended","timed_out"]})");
    schema["properties"].update(output_properties());
    schema["properties"]["process"] = process_schema();
    return schema;
}

GivenCommand command_of(const Arguments& arguments, const Arguments& options) {
    GivenCommand command;
    const json& given = arguments.value("command");
    if (given.is_string()) {
        command.what = given.get<std::string>();
    } else if (given.is_array()) {
        std::vector<std::string> argv;
        for (const auto& argument : given) {
            if (!argument.is_string()) arguments.refuse("command", "a string, or an array of strings");
            argv.push_back(argument.get<std::string>());
        }
        command.what = std::move(argv);
    } else {
        arguments.refuse("command", "a string, or an array of strings");
    }
    if (options.has("shell")) {
        const json& shell = options.value("shell");
        if (shell.is_boolean())
            command.shell = shell.get<bool>();
        else if (shell.is_string() && !shell.get<std::string>().empty())
            command.shell = options.text_or("shell", "");
        else
            options.refuse("shell", "true, false, or the path of a shell");
    }
    return command;
}

std::optional<std::uint64_t> log_capacity_of(const Arguments& options) {
    const Arguments log = options.nested("log");
    if (!log.has("size")) return std::nullopt;
    const json& size = log.value("size");
    const auto bytes = size.is_string()
                           ? find_size(size.get<std::string>())
                           : std::optional{static_cast<std::uint64_t>(*log.integer("size", 0, INT64_MAX))};
    if (!bytes) log.refuse("size", "a number of bytes such as \"16M\", from 64K to 1G");
    return bytes;
}

std::optional<std::uint32_t> terminal_length(const Arguments& options, const char* name) {
    const auto length = options.integer(name, 1, 1000);
    return length ? std::optional{static_cast<std::uint32_t>(*length)} : std::nullopt;
}

WaitFor wait_of(const std::string& name) {
    if (name == "none") return WaitFor::none;
    return name == "exit" ? WaitFor::exit : WaitFor::settled;
}

StartArguments start_arguments(const json& object) {
    const Arguments arguments{object, input_schema()};
    const Arguments options = arguments.nested("options");
    const Arguments wait = arguments.nested("wait");
    StartArguments start;
    start.command = command_of(arguments, options);
    if (arguments.has("name")) start.name = arguments.text_or("name", "");
    start.working_directory = arguments.text_or("working_directory", "");
    start.project = arguments.project();
    start.environment = arguments.text_map("environment");
    start.replace = arguments.flag("replace");
    start.wait = wait_of(wait.choice("for").value_or("settled"));
    start.timeout = wait.seconds("timeout", start.wait == WaitFor::exit ? 50 : 1, kMaxWait);
    if (options.has("label")) start.label = options.text_or("label", "");
    start.mode = arguments.choice("mode");
    start.rows = terminal_length(options, "rows");
    start.columns = terminal_length(options, "cols");
    start.streams = options.choice("streams");
    start.stdin_mode = options.choice("stdin");
    start.log_capacity = log_capacity_of(options);
    return start;
}

std::string wait_name(WaitFor wait) {
    switch (wait) {
        case WaitFor::none:
            return "none";
        case WaitFor::settled:
            return "settled";
        case WaitFor::exit:
            return "exit";
    }
    return "";
}

ToolResult present(const StartResult& start, WaitFor wait, const std::string& sandbox) {
    json structured{{"process", process_view(start.process)},
                    {"already_running", start.already_running},
                    {"begin_cursor", start.begin_cursor},
                    {"ended", start.ended},
                    {"wait", wait_name(wait)},
                    {"timed_out", start.timed_out}};
    std::string text = (start.already_running ? "Already running: "
                        : start.ended         ? "Started, and ended: "
                                              : "Started: ") +
                       process_line(start.process) + "\n";
    if (start.ended) text += "It " + rundir::explanation(start.process) + ".\n";
    add_sandbox(structured, text, sandbox);
    add_output(structured, text, start.output);
    const bool is_late = start.timed_out && wait == WaitFor::exit;
    if (is_late) text += "It has not ended within the timeout; it runs on.\n";
    return {is_late ? "timed_out" : "ok", structured, text};
}

}  // namespace

Tool start_tool() {
    Tool tool;
    tool.name = "start";
    tool.title = "Start a process";
    tool.description =
        "Runs a command that keeps running after this call: dev servers, watchers, builds, tests. Start "
        "ensures: if the same "
        "command already runs in that directory you get that one (already_running), a finished one gets a "
        "new run, otherwise a "
        "new process is made. It outlives you and the hub. Waits until it has settled, so a command that "
        "fails at once is told "
        "as such. Returns the process (id, name, pid, state, exit code), its first output, and a cursor for "
        "get_output.";
    tool.input_schema = input_schema();
    tool.output_schema = output_schema();
    tool.hints = {false, true, false, true};
    tool.core = true;
    tool.run = [](Context& context, const json& arguments, const Caller& caller, OnToolResult then) {
        auto start_with = start_arguments(arguments);
        const auto wait = start_with.wait;
        return start(context, std::move(start_with), caller,
                     presented<StartResult>(std::move(then), [&context, wait, caller](const StartResult& result) {
                         return present(result, wait, sandbox_for(context, caller));
                     }));
    };
    return tool;
}

}  // namespace pp::hub
