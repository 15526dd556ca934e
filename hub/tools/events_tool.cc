#include <algorithm>

#include "hub/history/event_names.h"
#include "hub/operations/events.h"
#include "hub/operations/moment.h"
#include "hub/tools/arguments.h"
#include "hub/tools/event_view.h"
#include "hub/tools/tool_list.h"
#include "hub/wall_clock.h"
#include "protocol/rundir/nearest.h"

namespace pp::hub {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxEvents = 5000;  // an answer is one frame of at most 8 MiB

const json& events_schema() {
    static const json kSchema = [] {
        json schema = json::parse(R"({"type":"object","properties":{
"since":{"type":"integer","minimum":0,"default":0,"description":"Only those with a higher number: go on from the number of the last answer."},
"since_time":{"type":"string","description":"ISO 8601, or how long ago: 5m."},
"last":{"type":"integer","minimum":0,"description":"Only so many of the newest."},
"limit":{"type":"integer","minimum":1,"maximum":5000,"default":1000},
"kinds":{"type":"array","items":{"type":"string"}},
"wait":{"type":"boolean","default":false,"description":"Answer only when there is one."},
"with_seen":{"type":"boolean","default":false}},"additionalProperties":false})");
        schema["properties"]["process"] = process_parameter();
        schema["properties"]["project"] = project_parameter();
        return schema;
    }();
    return kSchema;
}

std::set<std::string> kinds_of(const Arguments& arguments) {
    std::set<std::string> kinds;
    if (!arguments.has("kinds")) return kinds;
    const json& given = arguments.value("kinds");
    if (!given.is_array()) arguments.refuse("kinds", "an array of names");
    const auto known = event_names();
    for (const auto& one : given) {
        if (!one.is_string()) arguments.refuse("kinds", "an array of names");
        const auto kind = one.get<std::string>();
        if (std::find(known.begin(), known.end(), kind) == known.end()) {
            std::string text = "there is no kind of event '" + kind + "'";
            if (const auto meant = rundir::find_nearest(kind, known)) text += "; did you mean '" + *meant + "'?";
            throw Refusal(Refusal::Kind::usage, text);
        }
        kinds.insert(kind);
    }
    return kinds;
}

EventsArguments arguments_of(const Arguments& given) {
    EventsArguments arguments;
    arguments.target = given.optional_target();
    arguments.since = static_cast<std::uint64_t>(given.integer("since", 0, INT64_MAX).value_or(0));
    if (const auto text = given.text("since_time")) {
        arguments.since_time_ns = find_moment(*text, wall_clock_ns());
        if (!arguments.since_time_ns) given.refuse("since_time", "a time, or how long ago as \"5m\"");
    }
    if (const auto last = given.integer("last", 0, INT64_MAX))
        arguments.last = static_cast<std::size_t>(*last);
    arguments.limit = static_cast<std::size_t>(given.integer("limit", 1, kMaxEvents).value_or(1000));
    arguments.kinds = kinds_of(given);
    arguments.wait = given.flag("wait");
    arguments.with_seen = given.flag("with_seen");
    return arguments;
}

ToolResult present_events(const Registry& registry, bool with_seen, const EventsResult& result) {
    json events = json::array();
    std::string text;
    for (const auto& event : result.page.events) {
        const auto process = process_of(event.event);
        const auto* files = registry.knows(process) ? &registry.files(process) : nullptr;
        events.push_back(event_view(event, files));
        text += std::to_string(event.number) + " " + (process == 0 ? "hub" : rundir::process_id(process)) +
                " " + event_words(event.event) + "\n";
    }
    json structured{{"events", events},
                    {"number", result.page.number},
                    {"more", result.page.more},
                    {"problem", result.problem.empty() ? json{} : json(result.problem)}};
    if (with_seen) {
        json seen = json::object();
        for (const auto& [process, number] : result.page.seen) seen[rundir::process_id(process)] = number;
        structured["seen"] = seen;
    }
    return {"ok", structured, text};
}

}  // namespace

Tool events_tool() {
    Tool tool;
    tool.name = "events";
    tool.title = "Events";
    tool.description =
        "What happened to processes and to pp itself, oldest first, each with a number that grows and is "
        "never "
        "given twice. Waits for the next one if asked to.";
    tool.input_schema = events_schema();
    tool.output_schema = {{"type", "object"}};
    tool.hints = {true, false, true, false};
    tool.for_people = true;
    tool.run = [](Context& context, const json& object, const Caller& caller, OnToolResult then) {
        const Arguments given{object, events_schema()};
        const auto arguments = arguments_of(given);
        return events(context, arguments, caller,
                      presented<EventsResult>(std::move(then), [&context, with_seen = arguments.with_seen](
                                                                   const EventsResult& result) {
                          return present_events(context.registry, with_seen, result);
                      }));
    };
    return tool;
}

}  // namespace pp::hub
