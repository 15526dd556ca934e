#include "hub/operations/status.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "protocol/ring/reader.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

constexpr int kMaxRuns = 20;
constexpr int kMaxEvents = 10;

LogStatus log_status(const rundir::Home& home, const rundir::ProcessFiles& files) {
    LogStatus status;
    const auto life = files.lifecycle();
    status.dropped_bytes = life.dropped_bytes;
    status.capture_error = static_cast<int>(life.capture_error);
    status.read_fallback = life.read_fallback != 0;
    try {
        auto reader = ring::Reader::find(rundir::ring_paths(home, files.number));
        if (!reader) return status;
        const auto bounds = reader->bounds();
        status.begin = bounds.begin;
        status.end = bounds.end;
        status.capacity = reader->state().geometry.capacity;
        status.unverified = reader->unverified();
    } catch (const std::exception& error) {
        status.damage = error.what();
    }
    return status;
}

/// The page knows the newest run before the history does, and knows it if the history is lost.
void merge_newest(std::vector<RunRecord>& runs, const ring::Lifecycle& life) {
    if (life.run == 0) return;
    RunRecord newest;
    newest.run = life.run;
    newest.pid = life.main_pid;
    newest.started_at_ns = life.started_at_ns;
    newest.ended_at_ns = life.ended_at_ns;
    newest.exit_kind = life.exit_kind;
    newest.exit_value = life.exit_value;
    newest.core_dumped = life.core_dumped != 0;
    newest.stop_requested = life.stop_requested != 0;
    newest.user_us = life.user_us;
    newest.system_us = life.system_us;
    newest.max_resident_kib = life.max_resident_kib;
    newest.begin_cursor = life.start_cursor;
    if (life.exit_kind != ring::ExitKind::none) newest.end_cursor = life.end_cursor;
    if (!runs.empty() && runs.front().run == life.run)
        runs.front() = newest;
    else
        runs.insert(runs.begin(), newest);
}

}  // namespace

Call get_status(Context& context, const Target& target, const Caller& caller, OnResult<StatusResult> then) {
    const auto call = std::make_shared<OnResult<StatusResult>>(std::move(then));
    try {
        const auto process = resolve(context, target, caller);
        const std::weak_ptr<OnResult<StatusResult>> weak = call;
        context.history.tell(process, kMaxRuns, kMaxEvents, [&context, process, weak](History::Told told) {
            const auto answer = weak.lock();
            if (!answer) return;
            if (!context.registry.knows(process))
                return (*answer)(Refusal(Refusal::Kind::not_found,
                                         rundir::process_id(process) + " was cleared meanwhile"));
            StatusResult result;
            result.process = context.registry.refresh(process);
            if (has_live_main(result.process)) context.fleet.look_at(process);
            const auto life = result.process.lifecycle();
            const auto doubt = context.registry.doubt(result.process);
            result.why = rundir::why(result.process);
            if (!doubt.empty()) result.why = "is damaged, and whether it runs is not known: " + doubt;
            if (const auto trouble = context.fleet.trouble(process); !trouble.empty())
                result.why += "; " + trouble;
            result.runs = std::move(told.runs);
            merge_newest(result.runs, life);
            result.events = std::move(told.events);
            const int main_pid = has_live_main(result.process) ? life.main_pid : 0;
            if (main_pid > 0 || life.descendants > 0 || !doubt.empty())
                result.tree = process_tree(
                    context.home, process, main_pid,
                    {context.fleet.shim_pid(process), life.shim_pid, context.fleet.keeper_pid()},
                    context.fleet.shim_pids());
            result.log = log_status(context.home, result.process);
            (*answer)(result);
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
