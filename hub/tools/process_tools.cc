#include <csignal>

#include "hub/operations/list.h"
#include "hub/operations/restart.h"
#include "hub/operations/status.h"
#include "hub/operations/stop.h"
#include "hub/tools/arguments.h"
#include "hub/tools/output_view.h"
#include "hub/tools/tool_list.h"
#include "hub/tools/views.h"
#include "hub/wall_clock.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

using nlohmann::json;

constexpr double kMaxGrace = 3600;

json target_schema(json more = json::object()) {
    json schema{{"type", "object"}, {"properties", std::move(more)}, {"additionalProperties", false}};
    schema["properties"]["process"] = process_parameter();
    schema["properties"]["project"] = project_parameter();
    schema["required"] = json::array({"process"});
    return schema;
}

json timeout_schema(const char* what) {
    return {
        {"type", "number"}, {"minimum", 0}, {"maximum", kMaxGrace}, {"default", 5}, {"description", what}};
}

json object_schema(json properties, json required) {
    return {{"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

int signal_of(const Arguments& arguments) {
    if (!arguments.has("signal")) return SIGTERM;
    const json& given = arguments.value("signal");
    const auto signal = given.is_string() ? rundir::find_signal(given.get<std::string>())
                        : given.is_number_integer()
                            ? rundir::find_signal(std::to_string(given.get<std::int64_t>()))
                            : std::nullopt;
    if (!signal) arguments.refuse("signal", "a signal such as \"SIGTERM\", \"INT\" or 15");
    return *signal;
}

// list
// -----------------------------------------------------------------------------------------------------------------

const json& list_schema() {
    static const json kSchema = json::parse(R"({"type":"object","properties":{
"project":{"type":"string","description":"Absolute path, or \"all\". Default: the caller's project, if one is known, else all."},
"state":{"type":"string","description":"live, starting, running, stopping or finished."},
"name":{"type":"string"},
"owner":{"type":"string","description":"human, agent, or a client's name."}},"additionalProperties":false})");
    return kSchema;
}

ToolResult run_list(const Context& context, const json& object, const Caller& caller) {
    const Arguments arguments{object, list_schema()};
    const auto found = list(context,
                            {arguments.project(), arguments.text_or("state", ""),
                             arguments.text_or("name", ""), arguments.text_or("owner", "")},
                            caller);
    const auto now = wall_clock_ns();
    ToolResult listed{"ok", std::string{R"({"processes":[)"}, ""};
    for (const auto* files : found) {
        const auto& process = context.registry.text(files->number);
        if (files != found.front()) listed.structured += ',';
        process.append_json(listed.structured, *files, now);
        listed.text += process.line() + "\n";
    }
    listed.structured += "]}";
    if (found.empty()) listed.text = "No processes.\n";
    return listed;
}

// get_status
// -----------------------------------------------------------------------------------------------------------

const json& status_schema() {
    static const json kSchema = [] {
        json schema = target_schema();
        schema.erase("required");
        return schema;
    }();
    return kSchema;
}

/// The hub's own figures; in `processes` stand the processes themselves.
ToolResult hub_and_processes(const Context& context, const Caller& caller) {
    const auto status = context.hub_status(caller);
    const auto listed = run_list(context, json::object(), caller);
    json view = hub_view(status);
    view["process_count"] = status.processes;
    view.update(json::parse(listed.structured));
    return {"ok", view, hub_text(status) + listed.text};
}

Call run_status(Context& context, const json& object, const Caller& caller, OnToolResult then) {
    const Arguments arguments{object, status_schema()};
    if (!arguments.has("process")) {
        then(hub_and_processes(context, caller));
        return nullptr;
    }
    return get_status(context, arguments.target(), caller,
                      presented<StatusResult>(std::move(then), [](const StatusResult& status) {
                          return ToolResult{"ok", status_view(status), status_text(status)};
                      }));
}

// stop
// -----------------------------------------------------------------------------------------------------------------

const json& stop_schema() {
    static const json kSchema = target_schema(
        {{"force", {{"type", "boolean"}, {"default", false}, {"description", "SIGKILL at once."}}},
         {"signal",
          {{"type", {"string", "integer"}}, {"default", "SIGTERM"}, {"description", "To ask with first."}}},
         {"timeout", timeout_schema("Seconds it has to end before SIGKILL.")}});
    return kSchema;
}

ToolResult present_stop(const StopResult& stop) {
    json survivors = json::array();
    std::string text = process_line(stop.process) + "\n";
    for (const auto& survivor : stop.survivors) {
        survivors.push_back({{"pid", survivor.pid}, {"command", survivor.command}});
        text += "still alive: pid " + std::to_string(survivor.pid) + " " + survivor.command + "\n";
    }
    return {"ok", json{{"process", process_view(stop.process)}, {"survivors", survivors}}, text};
}

Call run_stop(Context& context, const json& object, const Caller& caller, OnToolResult then) {
    const Arguments arguments{object, stop_schema()};
    StopArguments wanted{arguments.target(), signal_of(arguments), arguments.seconds("timeout", 5, kMaxGrace),
                         arguments.flag("force")};
    return stop(context, wanted, caller, presented<StopResult>(std::move(then), present_stop));
}

// restart
// --------------------------------------------------------------------------------------------------------------

const json& restart_schema() {
    static const json kSchema =
        target_schema({{"timeout", timeout_schema("Seconds it has to end before SIGKILL.")}});
    return kSchema;
}

ToolResult present_restart(const RestartResult& restart, const std::string& sandbox) {
    const json previous = restart.previous_pid > 0 ? json(restart.previous_pid) : json{};
    json structured{
        {"process", process_view(restart.process)}, {"previous_pid", previous}, {"ended", restart.ended}};
    std::string text = "Restarted: " + process_line(restart.process) + "\n";
    if (restart.previous_pid > 0)
        text += "The run before had pid " + std::to_string(restart.previous_pid) + ".\n";
    add_sandbox(structured, text, sandbox);
    add_output(structured, text, restart.output);
    return {"ok", structured, text};
}

Call run_restart(Context& context, const json& object, const Caller& caller, OnToolResult then) {
    const Arguments arguments{object, restart_schema()};
    return restart(context, {arguments.target(), arguments.seconds("timeout", 5, kMaxGrace)}, caller,
                   presented<RestartResult>(std::move(then), [&context, caller](const RestartResult& result) {
                       return present_restart(result, sandbox_for(context, caller));
                   }));
}

}  // namespace

Tool list_tool() {
    Tool tool;
    tool.name = "list";
    tool.title = "List processes";
    tool.description =
        "Shows which processes pp knows, live and finished, with id, name, state, pid, run, exit code and "
        "command. Use it to "
        "see what is running already before you start something, or to find a process that somebody else "
        "started. One row "
        "each; get_status tells more of one.";
    tool.input_schema = list_schema();
    tool.output_schema =
        object_schema({{"processes", {{"type", "array"}, {"items", process_schema()}}}}, {"processes"});
    tool.hints = {true, false, true, false};
    tool.core = true;
    tool.run = [](Context& context, const json& arguments, const Caller& caller, OnToolResult then) -> Call {
        then(run_list(context, arguments, caller));
        return nullptr;
    };
    return tool;
}

Tool get_status_tool() {
    Tool tool;
    tool.name = "get_status";
    tool.title = "Status of a process";
    tool.description =
        "All there is to know of one process: why it is (not) running, its runs with exit codes and "
        "durations, the tree of its "
        "live processes with cpu and memory, the newest events, how much of its log is kept, and where its "
        "environment is from. "
        "Use it when something failed or behaves oddly. Without a process: the hub itself, and all "
        "processes.";
    tool.input_schema = status_schema();
    tool.output_schema = object_schema({{"process", process_schema()},
                                        {"why", {{"type", "string"}}},
                                        {"runs", {{"type", "array"}, {"items", {{"type", "object"}}}}},
                                        {"tree", {{"type", "array"}, {"items", {{"type", "object"}}}}},
                                        {"events", {{"type", "array"}, {"items", {{"type", "object"}}}}},
                                        {"log", {{"type", "object"}}},
                                        {"processes", {{"type", "array"}, {"items", process_schema()}}}},
                                       json::array());
    tool.hints = {true, false, true, false};
    tool.core = true;
    tool.run = run_status;
    return tool;
}

Tool stop_tool() {
    Tool tool;
    tool.name = "stop";
    tool.title = "Stop a process";
    tool.description =
        "Ends a process and everything that it started: the signal first, SIGKILL when the timeout is over. "
        "Answers when the "
        "whole tree is gone, naming survivors if there are any. Stopping one that has ended already is fine. "
        "Its log stays "
        "readable, and start or restart give it a new run. Returns the process with outcome `stopped`.";
    tool.input_schema = stop_schema();
    tool.output_schema = object_schema(
        {{"process", process_schema()},
         {"survivors",
          {{"type", "array"},
           {"items", object_schema({{"pid", {{"type", "integer"}}}, {"command", {{"type", "string"}}}},
                                   {"pid", "command"})}}}},
        {"process", "survivors"});
    tool.hints = {false, true, true, false};
    tool.core = true;
    tool.run = run_stop;
    return tool;
}

Tool restart_tool() {
    Tool tool;
    tool.name = "restart";
    tool.title = "Restart a process";
    tool.description =
        "Gives a process a new run with the same command, directory and environment: a live one is stopped "
        "first, a finished "
        "one just starts again. Use it after changing code or configuration that it reads only once. Waits "
        "until the new run "
        "has settled. Returns the process with its new pid, the previous pid, and the new run's first output "
        "with a cursor.";
    tool.input_schema = restart_schema();
    json found{{"process", process_schema()},
               {"previous_pid", {{"type", {"integer", "null"}}}},
               {"ended", {{"type", "boolean"}}},
               {"sandbox", {{"type", {"string", "null"}}}}};
    found.update(output_properties());
    tool.output_schema = object_schema(std::move(found), {"process", "previous_pid", "output", "cursor", "lost_bytes", "more"});
    tool.hints = {false, true, false, true};
    tool.core = true;
    tool.run = run_restart;
    return tool;
}

}  // namespace pp::hub
