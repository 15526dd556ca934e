#include "hub/tools/tool.h"

#include <algorithm>
#include <exception>

#include "hub/tools/tool_list.h"

namespace pp::hub {
namespace {

std::string status_of(Refusal::Kind kind) {
    switch (kind) {
        case Refusal::Kind::failed:
            return "failed";
        case Refusal::Kind::usage:
            return "usage";
        case Refusal::Kind::not_found:
            return "not_found";
        case Refusal::Kind::ambiguous:
            return "ambiguous";
        case Refusal::Kind::timed_out:
            return "timed_out";
    }
    return "failed";
}

}  // namespace

/// Text of others may hold any byte; JSON may not: what is no UTF-8 is replaced.
ToolResult::ToolResult(std::string how, const nlohmann::json& object, std::string for_reader)
    : ToolResult{std::move(how), object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), std::move(for_reader)} {}

const std::vector<Tool>& tools() {
    static const std::vector<Tool> kTools = {start_tool(),      list_tool(),          get_status_tool(),
                                             stop_tool(),       restart_tool(),       get_output_tool(),
                                             search_logs_tool(), send_input_tool(), get_log_paths_tool(),
                                             resize_pty_tool(), clear_tool(),         shutdown_tool(),
                                             hub_status_tool(), hub_stop_tool(),      hub_upgrade_tool(),
                                             events_tool()};
    return kTools;
}

const Tool* find_tool(const std::string& name) {
    const auto found =
        std::find_if(tools().begin(), tools().end(), [&](const Tool& tool) { return tool.name == name; });
    return found == tools().end() ? nullptr : &*found;
}

Call call_tool(const Tool& tool, Context& context, const nlohmann::json& arguments, const Caller& caller,
               OnToolResult then) {
    try {
        return tool.run(context, arguments, caller, then);
    } catch (const Refusal& refusal) {
        then(refused(refusal));
    } catch (const std::exception& error) {
        context.log.say(tool.name + ": " + error.what());
        then(refused(Refusal(Refusal::Kind::failed, error.what())));
    }
    return nullptr;
}

ToolResult refused(const Refusal& refusal) {
    return {status_of(refusal.kind()), std::string{}, refusal.what()};
}

nlohmann::json process_schema() {
    return nlohmann::json::parse(R"({"type":"object","description":"Absent is null. Times are ISO 8601 UTC.",
"properties":{"id":{"type":"string"},"name":{"type":"string"},"state":{"type":"string"},
"pid":{"type":["integer","null"]},"run":{"type":"integer"},"outcome":{"type":["string","null"]},
"exit_code":{"type":["integer","null"]},"signal":{"type":["string","null"]},"cursor":{"type":"integer"}},
"required":["id","name","state","pid","run","outcome","exit_code"]})");
}

nlohmann::json process_parameter() {
    return {{"type", {"string", "integer"}},
            {"description", "Id (p3), name, pid of its main process, label, or its exact command."}};
}

nlohmann::json project_parameter() {
    return {{"type", "string"}, {"description", "Absolute path of the project whose names are meant."}};
}

}  // namespace pp::hub
