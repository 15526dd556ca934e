#include "hub/operations/resize.h"
#include "hub/tools/arguments.h"
#include "hub/tools/tool_list.h"
#include "hub/tools/views.h"

namespace pp::hub {
namespace {

using nlohmann::json;

const json& resize_schema() {
    static const json kSchema = [] {
        json schema = json::parse(R"({"type":"object","properties":{
"rows":{"type":"integer","minimum":1,"maximum":1000},
"cols":{"type":"integer","minimum":1,"maximum":1000}},
"required":["process","rows","cols"],"additionalProperties":false})");
        schema["properties"]["process"] = process_parameter();
        schema["properties"]["project"] = project_parameter();
        return schema;
    }();
    return kSchema;
}

ToolResult present_resize(const ResizeResult& resized) {
    const std::string text = process_line(resized.process) + "\nIts terminal has " +
                             std::to_string(resized.rows) + " rows and " + std::to_string(resized.columns) +
                             " columns now.\n";
    return {"ok",
            json{{"process", process_view(resized.process)}, {"rows", resized.rows}, {"cols", resized.columns}},
            text};
}

}  // namespace

Tool resize_pty_tool() {
    Tool tool;
    tool.name = "resize_pty";
    tool.title = "Resize a terminal";
    tool.description =
        "Gives the terminal of a process that was started with mode \"pty\" another size; the program is told by "
        "SIGWINCH and redraws itself. Returns the process and the size.";
    tool.input_schema = resize_schema();
    tool.output_schema = {{"type", "object"},
                          {"properties",
                           {{"process", process_schema()},
                            {"rows", {{"type", "integer"}}},
                            {"cols", {{"type", "integer"}}}}},
                          {"required", {"process", "rows", "cols"}}};
    tool.hints = {false, false, true, false};
    tool.run = [](Context& context, const json& object, const Caller& caller, OnToolResult then) {
        const Arguments arguments{object, resize_schema()};
        const auto length = [&](const char* name) {
            const auto given = arguments.integer(name, 1, 1000);
            if (!given) arguments.refuse(name, "a number from 1 to 1000");
            return static_cast<std::uint32_t>(*given);
        };
        return resize_pty(context, {arguments.target(), length("rows"), length("cols")}, caller,
                          presented<ResizeResult>(std::move(then), present_resize));
    };
    return tool;
}

}  // namespace pp::hub
