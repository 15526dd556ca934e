#include "hub/operations/output.h"

#include <exception>
#include <mutex>
#include <utility>

#include "hub/operations/run_output.h"
#include "protocol/ring/text_export.h"

namespace pp::hub {
namespace {

/// One at a time: two of the same run would write the same file.
void export_logs(const rundir::Home& home, std::uint64_t process, const ring::TextExport& wanted,
                 LogPaths& paths) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock{one_at_a_time};
    auto reader = ring::Reader::find(rundir::ring_paths(home, process));
    if (!reader)
        throw Refusal(Refusal::Kind::failed,
                      rundir::process_id(process) + " has no log yet: it was never started");
    const auto exported = ring::export_text(*reader, wanted);
    paths.upto_cursor = exported.cursor;
    for (const auto& path : exported.paths) {
        if (path.ends_with(".stdout.log"))
            paths.out = path;
        else if (path.ends_with(".stderr.log"))
            paths.err = path;
        else
            paths.combined = path;
    }
}

template <class Value, class Job>
std::variant<Value, Refusal> outcome_of(Job& job) {
    try {
        return job();
    } catch (const Refusal& refusal) {
        return refusal;
    } catch (const std::exception& error) {
        return Refusal(Refusal::Kind::failed, error.what());
    }
}

/// `prepare` is called here, and may refuse; the job that it returns is run on a worker.
template <class Value, class Prepare>
Call on_worker(Context& context, OnResult<Value> then, Prepare prepare) {
    const auto call = std::make_shared<OnResult<Value>>(std::move(then));
    try {
        const std::weak_ptr<OnResult<Value>> weak = call;
        context.worker.post([job = prepare(), weak]() mutable -> Worker::Then {
            auto result = outcome_of<Value>(job);
            return [result = std::move(result), weak] {
                if (const auto answer = weak.lock()) (*answer)(result);
            };
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace

Call get_output(Context& context, const OutputArguments& arguments, const Caller& caller,
                OnResult<OutputResult> then) {
    return on_worker<OutputResult>(context, std::move(then), [&] {
        OutputResult result;
        const auto process = resolve(context, arguments.target, caller);
        result.process = context.registry.refresh(process);
        return [home = context.home, process, query = arguments.query, result]() mutable {
            result.answer = read_output(home, process, query);
            return result;
        };
    });
}

Call get_log_paths(Context& context, const Target& target, std::int64_t run, bool times, const Caller& caller,
                   OnResult<LogPaths> then) {
    return on_worker<LogPaths>(context, std::move(then), [&] {
        LogPaths paths;
        const auto process = resolve(context, target, caller);
        paths.process = context.registry.refresh(process);
        ring::TextExport wanted;
        wanted.directory = context.home.process(process);
        wanted.name = paths.process.launch ? paths.process.launch->name : rundir::process_id(process);
        wanted.run = run;
        wanted.times = times;
        return [home = context.home, process, wanted, paths]() mutable {
            export_logs(home, process, wanted, paths);
            return paths;
        };
    });
}

}  // namespace pp::hub
