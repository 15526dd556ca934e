#include <unistd.h>

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/follow/page_watch.h"
#include "cli/output/json_text.h"
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

std::string ended_json(const rundir::ProcessFiles& before, const ring::Lifecycle& life) {
    auto files = before;
    files.final_record = life;
    files.state.reset();  // or a page that is newer by a run would count
    const auto cursor = before.state ? before.state->tail : 0;
    auto object = rundir::process_json(files, wall_clock_ns());
    object["cursor"] = std::max(cursor, life.end_cursor);
    return json_text(object);
}

/// One process, until the run that was on when we began has ended.
class Waiting {
  public:
    using OnEnd = std::function<void(const rundir::ProcessFiles&, const ring::Lifecycle&)>;

    /// `on_end` is called once, from look().
    Waiting(os::Loop& loop, const Context& context, rundir::ProcessFiles files, OnEnd on_end)
        : context_{context}, files_{std::move(files)}, run_{files_.lifecycle().run}, on_end_{std::move(on_end)} {
        if (is_live(files_) || files_.is_unattended())
            page_ = std::make_unique<PageWatch>(loop, context.home.state_page(files_.number), [this] { look(); });
    }

    void look() {
        if (!page_) return end(files_.lifecycle());
        page_->follow_name();
        const auto seen = page_->seen();
        const auto state = page_->read();
        auto life = state.lifecycle;
        // the keeper saw it end; whether a shim is to come and say so, or none, more than the page tells
        if (life.exit_kind == ring::ExitKind::none && state.orphan.kind != ring::ExitKind::none)
            life = rundir::read_process_files(context_.home, files_.number).lifecycle();
        if (life.run == run_ && life.state == ring::LifeState::finished) return end(life);
        if (life.run > run_ && run_ != 0) return end(ended_run(context_, files_.number, run_));
        page_->arm(seen);
    }

    [[nodiscard]] bool has_ended() const { return has_ended_; }
    [[nodiscard]] const rundir::ProcessFiles& files() const { return files_; }

  private:
    void end(const ring::Lifecycle& life) {
        if (std::exchange(has_ended_, true)) return;
        on_end_(files_, life);
    }

    const Context& context_;
    const rundir::ProcessFiles files_;
    const std::uint32_t run_;
    const OnEnd on_end_;
    std::unique_ptr<PageWatch> page_;
    bool has_ended_ = false;
};

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

    const auto patience = timeout ? parse_duration("--timeout", *timeout) : std::chrono::milliseconds{0};
    os::Loop loop;
    int result = 0;
    std::list<Waiting> targets;
    const auto on_end = [&](const rundir::ProcessFiles& files, const ring::Lifecycle& life) {
        const auto ended = ended_json(files, life);
        print(as_json ? ended + "\n" : process_line(json::parse(ended)) + "\n");
        const int exit_code = exit_code_of(life, spoken_name(files));
        if (result == 0) result = exit_code;
        if (std::all_of(targets.begin(), targets.end(), [](const Waiting& one) { return one.has_ended(); })) loop.stop();
    };
    for (const auto& name : names) targets.emplace_back(loop, context, find_watched_target(context, name), on_end);
    os::Loop::Timer timer{loop, [&] { loop.stop(); }};
    if (timeout) timer.set(patience);
    for (auto& target : targets) target.look();
    const auto still_runs = [&] {
        return std::find_if(targets.begin(), targets.end(), [](const Waiting& one) { return !one.has_ended(); });
    };
    if (still_runs() != targets.end()) loop.run();
    if (const auto target = still_runs(); target != targets.end())
        throw Failure{Exit::timed_out, spoken_name(target->files()) + " still runs after " + duration_text(patience)};
    return result;
}

}  // namespace pp::cli
