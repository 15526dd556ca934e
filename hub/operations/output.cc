#include "hub/operations/output.h"

#include <exception>
#include <utility>

#include "hub/operations/run_output.h"
#include "protocol/ring/text_export.h"

namespace pp::hub {
namespace {

void export_logs(const rundir::Home& home, std::uint64_t process, const ring::TextExport& wanted,
                 LogPaths& paths) {
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

}  // namespace

OutputResult get_output(const Context& context, const OutputArguments& arguments, const Caller& caller) {
    const auto process = resolve(context, arguments.target, caller);
    OutputResult result;
    result.process = context.registry.refresh(process);
    result.answer = read_output(context.home, process, arguments.query);
    return result;
}

Call get_log_paths(Context& context, const Target& target, std::int64_t run, bool times, const Caller& caller,
                   OnResult<LogPaths> then) {
    const auto call = std::make_shared<OnResult<LogPaths>>(std::move(then));
    try {
        const auto process = resolve(context, target, caller);
        LogPaths paths;
        paths.process = context.registry.refresh(process);
        ring::TextExport wanted;
        wanted.directory = context.home.process(process);
        wanted.name = paths.process.launch ? paths.process.launch->name : rundir::process_id(process);
        wanted.run = run;
        wanted.times = times;
        const std::weak_ptr<OnResult<LogPaths>> weak = call;
        context.worker.post([home = context.home, process, wanted, paths, weak]() mutable -> Worker::Then {
            std::variant<LogPaths, Refusal> result;
            try {
                export_logs(home, process, wanted, paths);
                result = paths;
            } catch (const std::exception& error) {
                result = Refusal(Refusal::Kind::failed, error.what());
            }
            return [result = std::move(result), weak] {
                if (const auto answer = weak.lock()) (*answer)(result);
            };
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
