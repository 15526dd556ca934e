#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/follow/page_watch.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/run/session.h"
#include "cli/target.h"
#include "cli/time_input.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;
using TimePoint = os::Loop::TimePoint;

/// How an earlier run ended: the page tells of the newest alone.
ring::Lifecycle ended_run(const Context& context, rundir::ProcessNumber number, std::uint32_t run) {
    ring::Lifecycle life;
    life.run = run;
    life.state = ring::LifeState::finished;
    life.exit_kind = ring::ExitKind::unknown;
    for (const auto& event : rundir::read_events(context.home.events(number), 1)) {
        if (event.run != run) continue;
        if (event.kind == rundir::EventKind::started) {
            life.started_at_ns = event.time_ns;
        } else if (event.kind == rundir::EventKind::exited || event.kind == rundir::EventKind::start_failed) {
            const bool exited = event.kind == rundir::EventKind::exited;
            life.exit_kind = exited ? event.exit_kind : ring::ExitKind::not_started;
            life.exit_value = event.exit_value;
            life.stop_requested = event.stop_requested;
            life.core_dumped = event.core_dumped;
            life.ended_at_ns = event.time_ns;
        }
    }
    return life;
}

/// Sleeps until the run that is on now has ended. Nothing if the deadline passes first.
std::optional<ring::Lifecycle> wait_for_end(const Context& context, const rundir::ProcessFiles& files,
                                            std::optional<TimePoint> deadline) {
    const auto run = files.lifecycle().run;
    if (!is_live(files)) return files.lifecycle();
    os::Loop loop;
    std::optional<ring::Lifecycle> ended;
    std::unique_ptr<PageWatch> page;
    const auto look = [&] {
        const auto seen = page->seen();
        const auto life = page->read().lifecycle;
        if (life.run == run && life.state == ring::LifeState::finished) ended = life;
        if (life.run > run && run != 0) ended = ended_run(context, files.number, run);
        if (ended) return loop.stop();
        page->arm(seen);
    };
    page = std::make_unique<PageWatch>(loop, context.home.state_page(files.number), look);
    os::Loop::Timer timer{loop, [&] { loop.stop(); }};
    if (deadline) timer.set(*deadline);
    look();
    if (!ended) loop.run();
    return ended;
}

std::string ended_json(const rundir::ProcessFiles& before, const ring::Lifecycle& life) {
    auto files = before;
    files.final_record = life;
    files.state.reset();  // or a page that is newer by a run would count
    const auto cursor = before.state ? before.state->tail : 0;
    auto object = rundir::process_json(files, wall_clock_ns());
    object["cursor"] = std::max(cursor, life.end_cursor);
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

int wait_command(const Context& context, const Words& words) {
    std::vector<std::string> names;
    std::optional<std::string> timeout;
    bool as_json = false;
    Arguments arguments{
        "wait",
        "Wait until processes have ended; exit with the code of the first that failed. Needs no hub."};
    arguments.positional("NAME", names, "the processes");
    arguments.option("--timeout", timeout, "TIME", "give up after that, with exit code 124");
    arguments.flag("--json", as_json, "one object per process, as it ends");
    arguments.parse(words);
    if (names.empty()) throw Failure{Exit::usage, "there is no process named; such as: pp wait web"};

    std::optional<TimePoint> deadline;
    if (timeout) deadline = os::Loop::Clock::now() + parse_duration("--timeout", *timeout);
    std::vector<rundir::ProcessFiles> targets;
    for (const auto& name : names) targets.push_back(find_target(context, name));

    int result = 0;
    for (const auto& files : targets) {
        const auto life = wait_for_end(context, files, deadline);
        if (!life) throw Failure{Exit::timed_out, spoken_name(files) + " still runs after " + duration_text(parse_duration("--timeout", *timeout))};
        const auto ended = ended_json(files, *life);
        print(as_json ? ended + "\n" : process_line(json::parse(ended)) + "\n");
        const int exit_code = exit_code_of(*life, spoken_name(files));
        if (result == 0) result = exit_code;
    }
    return result;
}

}  // namespace pp::cli
