#include "hub/operations/clear.h"
#include "hub/operations/shutdown.h"
#include "hub/tools/arguments.h"
#include "hub/tools/tool_list.h"
#include "hub/tools/views.h"
#include "protocol/rundir/home.h"

namespace pp::hub {
namespace {

using nlohmann::json;

json ids_of(const std::vector<std::uint64_t>& numbers) {
    json ids = json::array();
    for (const auto number : numbers) ids.push_back(rundir::process_id(number));
    return ids;
}

std::string listed(const json& ids) {
    std::string text;
    for (const auto& id : ids) text += (text.empty() ? "" : ", ") + id.get<std::string>();
    return text.empty() ? "none" : text;
}

json list_of_ids_schema() {
    return {{"type", "array"}, {"items", {{"type", "string"}}}};
}

json empty_schema() {
    return {{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
}

// clear
// ----------------------------------------------------------------------------------------------------------------

const json& clear_schema() {
    static const json kSchema = [] {
        json process = process_parameter();
        process["description"] = "One finished process.";
        json project = project_parameter();
        project["description"] =
            "Absolute path, or \"all\". Default: the caller's project, if one is known, else all.";
        const json all{{"type", "boolean"}, {"description", "Every finished process of the project. Without it, give process."}};
        return json{{"type", "object"},
                    {"properties", {{"process", process}, {"all", all}, {"project", project}}},
                    {"additionalProperties", false}};
    }();
    return kSchema;
}

ToolResult present_clear(const ClearResult& clear) {
    json kept = json::array();
    std::string text = "Cleared: " + listed(ids_of(clear.cleared)) + "\n";
    for (const auto& one : clear.kept) {
        kept.push_back({{"id", rundir::process_id(one.process)}, {"why", one.why}});
        text += "Kept " + rundir::process_id(one.process) + ": " + one.why + "\n";
    }
    return {"ok", json{{"cleared", ids_of(clear.cleared)}, {"kept", kept}}, text};
}

// shutdown
// -------------------------------------------------------------------------------------------------------------

const json& shutdown_schema() {
    static const json kSchema = json::parse(R"({"type":"object","properties":{
"processes":{"type":"string","enum":["stop","leave"],"description":"What becomes of live ones: stop ends them all; leave ends only the hub."}},
"additionalProperties":false})");
    return kSchema;
}

ShutdownProcesses processes_of(const std::optional<std::string>& choice) {
    if (!choice) return ShutdownProcesses::unsaid;
    return *choice == "stop" ? ShutdownProcesses::stop : ShutdownProcesses::leave;
}

ToolResult present_shutdown(const ShutdownResult& shutdown) {
    std::string text = "The hub ends. Stopped: " + listed(ids_of(shutdown.stopped)) +
                       "; left alive: " + listed(ids_of(shutdown.left)) + "\n";
    for (const auto& problem : shutdown.problems) text += problem + "\n";
    return {"ok",
            json{{"stopped", ids_of(shutdown.stopped)},
                 {"left", ids_of(shutdown.left)},
                 {"problems", shutdown.problems}},
            text};
}

json shutdown_output_schema() {
    return {{"type", "object"},
            {"properties",
             {{"stopped", list_of_ids_schema()},
              {"left", list_of_ids_schema()},
              {"problems", list_of_ids_schema()}}},
            {"required", {"stopped", "left"}}};
}

}  // namespace

Tool clear_tool() {
    Tool tool;
    tool.name = "clear";
    tool.title = "Clear finished processes";
    tool.description =
        "Forgets finished processes for good: their logs, runs and events are deleted. Never touches a live "
        "one. Use it when "
        "the list is long and nobody needs the old output any more. Returns the ids that are gone, and those "
        "that were kept "
        "with the reason.";
    tool.input_schema = clear_schema();
    tool.output_schema = {
        {"type", "object"},
        {"properties",
         {{"cleared", list_of_ids_schema()}, {"kept", {{"type", "array"}, {"items", {{"type", "object"}}}}}}},
        {"required", {"cleared", "kept"}}};
    tool.hints = {false, true, true, false};
    tool.run = [](Context& context, const json& object, const Caller& caller, OnToolResult then) {
        const Arguments arguments{object, clear_schema()};
        if (arguments.has("process") == arguments.flag("all"))
            throw Refusal(Refusal::Kind::usage,
                          "give process, the one to forget, or all: true for every finished one of the project");
        return clear(context, {arguments.optional_target()}, caller,
                     presented<ClearResult>(std::move(then), present_clear));
    };
    return tool;
}

Tool shutdown_tool() {
    Tool tool;
    tool.name = "shutdown";
    tool.title = "End the hub";
    tool.description =
        "Ends the hub, and with `processes: \"stop\"` every process it knows, of all projects and people. "
        "With `leave` they run "
        "on, keep their output, and are found again by the next hub. With live processes one of the two must "
        "be said. Only "
        "when a person asks for it. Returns which were stopped and which live on.";
    tool.input_schema = shutdown_schema();
    tool.output_schema = shutdown_output_schema();
    tool.hints = {false, true, true, false};
    tool.run = [](Context& context, const json& object, const Caller&, OnToolResult then) {
        const Arguments arguments{object, shutdown_schema()};
        return shutdown(context, processes_of(arguments.choice("processes")),
                        presented<ShutdownResult>(std::move(then), present_shutdown));
    };
    return tool;
}

Tool hub_status_tool() {
    Tool tool;
    tool.name = "hub_status";
    tool.title = "Status of the hub";
    tool.description = "Who the hub is, where it listens, and what is wrong with it.";
    tool.input_schema = empty_schema();
    tool.output_schema = {{"type", "object"}};
    tool.hints = {true, false, true, false};
    tool.for_people = true;
    tool.run = [](Context& context, const json& object, const Caller& caller, OnToolResult then) -> Call {
        const json schema = empty_schema();
        const Arguments arguments{object, schema};
        const auto status = context.hub_status(caller);
        then({"ok", hub_view(status), hub_text(status)});
        return nullptr;
    };
    return tool;
}

Tool hub_stop_tool() {
    Tool tool;
    tool.name = "hub_stop";
    tool.title = "End the hub alone";
    tool.description = "Ends the hub; all processes live on.";
    tool.input_schema = empty_schema();
    tool.output_schema = shutdown_output_schema();
    tool.hints = {false, false, true, false};
    tool.for_people = true;
    tool.run = [](Context& context, const json& object, const Caller&, OnToolResult then) {
        const json schema = empty_schema();
        const Arguments arguments{object, schema};
        return shutdown(context, ShutdownProcesses::leave,
                        presented<ShutdownResult>(std::move(then), present_shutdown));
    };
    return tool;
}

}  // namespace pp::hub
