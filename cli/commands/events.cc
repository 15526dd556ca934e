#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/follow/event_follower.h"
#include "cli/output/event_text.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/output/sink.h"
#include "cli/output/style.h"
#include "cli/project_option.h"
#include "cli/target.h"
#include "cli/time_input.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

constexpr int kLastShown = 20;

struct EventsOptions {
    json question = json::object();  ///< arguments of the operation
    std::string process;             ///< id, or empty
    bool follow = false;
    bool as_json = false;
};

bool is_number(const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Digits alone are a number of an event, all else is a time.
void set_since(json& question, const std::string& since) {
    if (is_number(since))
        question["since"] = parse_number("--since", since, 0);
    else
        question["since_time"] =
            rundir::iso_time(parse_time("--since", since, wall_clock_ns(), ", or an event's number"));
}

EventsOptions parse(const Context& context, const Words& words) {
    EventsOptions options;
    std::optional<std::string> process, since, lines, project;
    std::vector<std::string> kinds;
    Arguments arguments{
        "events",
        "What happened to processes, and to pp itself, oldest first: number, time, process and run, "
        "what. Starts a hub if there is none."};
    arguments.positional("NAME", process, "only of this process");
    arguments.flag("-f,--follow", options.follow, "go on as things happen, over hubs that come and go");
    arguments.option(
        "--since", since, "TIME|NUMBER",
        "from then on (ISO 8601, or 5m for five minutes ago), or after the event of this number");
    arguments.option("-n,--lines", lines, "N", "only the newest N; without it and --since 20");
    arguments.option("--project", project, "DIR", "only of processes of this project");
    arguments.option("--kind", kinds, "KIND", "only of this kind, such as exited; may be said again");
    arguments.flag("--json", options.as_json, "one object per line");
    arguments.parse(words);

    if (process && project) throw Failure{Exit::usage, "NAME and --project exclude each other"};
    if (since) set_since(options.question, *since);
    if (lines)
        options.question["last"] = parse_number("--lines", *lines, 0);
    else if (!since)
        options.question["last"] = kLastShown;
    if (!kinds.empty()) options.question["kinds"] = kinds;
    if (project) options.question["project"] = project_given(*project);
    if (process) {
        options.process = rundir::process_id(find_target(context, *process).number);
        options.question["process"] = options.process;
    }
    return options;
}

std::string line_of(const json& event, const EventsOptions& options, bool colours) {
    if (options.as_json) return json_text(event) + "\n";
    return event_line(event, colours);
}

int show(const Context& context, const EventsOptions& options) {
    const bool colours = may_colour(STDOUT_FILENO);
    os::Loop loop;
    HubClient hub{loop, context};
    auto question = options.question;
    for (bool more = true; more;) {
        const auto result = json::parse(required(hub.wait_for("events", json_text(question))).result);
        for (const auto& event : result.at("events")) print(line_of(event, options, colours));
        if (result.at("problem").is_string())
            throw Failure{Exit::failed, result["problem"].get<std::string>()};
        question["since"] = result.at("number");
        question.erase("last");
        more = result.at("more").get<bool>();
    }
    return code(Exit::done);
}

int follow(const Context& context, const EventsOptions& options) {
    const bool colours = may_colour(STDOUT_FILENO);
    os::Loop loop;
    std::unique_ptr<EventFollower> follower;
    bool over = false;
    Sink out{loop, STDOUT_FILENO,
             Sink::Owner{[&] { over ? loop.stop() : follower->look(); },
                         [&] {
                             over = true;
                             loop.stop();
                         }}};
    const auto on_end = [&] {
        over = true;
        if (!out.busy()) loop.stop();
    };
    follower = std::make_unique<EventFollower>(
        loop, context, options.question, options.process,
        EventFollower::Owner{
            .has_room = [&] { return !over && !out.busy(); },
            .on_event = [&](const json& event) { out.put(line_of(event, options, colours)); },
            .on_problem = [](const std::string& problem) { say(problem); },
            .on_end = on_end});
    follower->look();
    if (!over) loop.run();
    return code(Exit::done);
}

}  // namespace

int events_command(const Context& context, const Words& words) {
    const auto options = parse(context, words);
    return options.follow ? follow(context, options) : show(context, options);
}

}  // namespace pp::cli
