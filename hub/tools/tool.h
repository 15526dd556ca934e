#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

/// How a tool's call ended, for a program and for a reader.
struct ToolResult {
    ToolResult(std::string how, const nlohmann::json& object, std::string for_reader);
    /// JSON that is text already.
    ToolResult(std::string how, std::string json_text, std::string for_reader)
        : status{std::move(how)}, structured{std::move(json_text)}, text{std::move(for_reader)} {}

    /// ok · failed · usage · not_found · ambiguous · timed_out
    std::string status;
    std::string structured;  ///< JSON, an object that fits the tool's output schema; empty unless ok or timed_out
    std::string text;

    [[nodiscard]] bool failed() const { return status != "ok" && status != "timed_out"; }
};
using OnToolResult = std::function<void(ToolResult)>;

/// One thing that may be asked of the hub, by agents and people alike. The skins (MCP, control) know no tool
/// by name.
struct Tool {
    std::string name;
    std::string title;
    std::string description;  ///< when to use it and what comes back, at most 600 characters
    nlohmann::json input_schema;
    nlohmann::json output_schema;
    struct Hints {
        bool read_only = false;
        bool destructive = false;
        bool idempotent = false;
        bool open_world = false;
    } hints;
    bool core = false;        ///< listed without being asked for
    bool for_people = false;  ///< not a tool of agents: the control socket alone takes it
    std::function<Call(Context&, const nlohmann::json& arguments, const Caller&, OnToolResult)> run;
};

/// The one table.
const std::vector<Tool>& tools();
const Tool* find_tool(const std::string& name);

/// Runs a tool; what it throws becomes a result.
Call call_tool(const Tool& tool, Context& context, const nlohmann::json& arguments, const Caller& caller,
               OnToolResult then);

/// The result of a refusal.
ToolResult refused(const Refusal& refusal);

/// For operations that answer with a value: `present` makes the result of it.
template <class Value, class Present>
OnResult<Value> presented(OnToolResult then, Present present) {
    return
        [then = std::move(then), present = std::move(present)](const std::variant<Value, Refusal>& result) {
            const auto* refusal = std::get_if<Refusal>(&result);
            then(refusal != nullptr ? refused(*refusal) : present(std::get<Value>(result)));
        };
}

}  // namespace pp::hub
