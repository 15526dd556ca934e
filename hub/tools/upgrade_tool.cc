#include "hub/operations/upgrade.h"
#include "hub/tools/arguments.h"
#include "hub/tools/tool_list.h"
#include "protocol/rundir/home.h"

namespace pp::hub {
namespace {

using nlohmann::json;
using Upgrade = Fleet::Upgrade;

const json& upgrade_schema() {
    static const json kSchema{
        {"type", "object"}, {"properties", {{"process", process_parameter()}}}, {"additionalProperties", false}};
    return kSchema;
}

const char* word_of(Upgrade::Result result) {
    switch (result) {
        case Upgrade::Result::upgraded:
            return "upgraded";
        case Upgrade::Result::current:
            return "current";
        case Upgrade::Result::left:
            return "left";
        case Upgrade::Result::failed:
            return "failed";
    }
    return "failed";
}

json text_or_null(const std::string& text) {
    return text.empty() ? json{} : json(text);
}

json program_view(const Upgrade::Program& program) {
    if (program.pid == 0) return nullptr;
    return {{"pid", program.pid}, {"version", text_or_null(program.version)}, {"build", text_or_null(program.build)}};
}

ToolResult present(const UpgradeResult& result) {
    const auto& upgrade = result.upgrade;
    const bool has_launch = result.process && result.process->launch;
    const json view{{"part", result.process ? "shim" : "keeper"},
                    {"id", result.process ? json(rundir::process_id(result.process->number)) : json{}},
                    {"name", has_launch ? json(result.process->launch->name) : json{}},
                    {"result", word_of(upgrade.result)},
                    {"why", text_or_null(upgrade.why)},
                    {"from", program_view(upgrade.from)},
                    {"to", program_view(upgrade.to)}};
    return {"ok", view, std::string{word_of(upgrade.result)} + (upgrade.why.empty() ? "" : ": " + upgrade.why) + "\n"};
}

}  // namespace

Tool hub_upgrade_tool() {
    Tool tool;
    tool.name = "hub_upgrade";
    tool.title = "Hand over to another build";
    tool.description = "Has the shim of a process, or the keeper, go on as the program that lies beside the hub now.";
    tool.input_schema = upgrade_schema();
    tool.output_schema = {{"type", "object"}};
    tool.hints = {false, false, true, false};
    tool.for_people = true;
    tool.run = [](Context& context, const json& object, const Caller& caller, OnToolResult then) {
        const Arguments arguments{object, upgrade_schema()};
        const auto target = arguments.has("process") ? std::optional{arguments.target()} : std::nullopt;
        return upgrade(context, target, caller, presented<UpgradeResult>(std::move(then), present));
    };
    return tool;
}

}  // namespace pp::hub
