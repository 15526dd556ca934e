#include "hub/operations/resize.h"

#include <memory>
#include <utility>

#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

void refuse_impossible(const rundir::ProcessFiles& files) {
    if (!has_live_main(files))
        throw Refusal(Refusal::Kind::failed,
                      describe(files) + " does not run: it " + rundir::explanation(files));
    if (files.launch && files.launch->mode != "pty")
        throw Refusal(Refusal::Kind::failed,
                      describe(files) + " has no terminal; start it with mode \"pty\" (on the command line: "
                                        "pp run --pty)");
}

}  // namespace

Call resize_pty(Context& context, const ResizeArguments& arguments, const Caller& caller,
                OnResult<ResizeResult> then) {
    const auto call = std::make_shared<OnResult<ResizeResult>>(std::move(then));
    try {
        const auto process = resolve(context, arguments.target, caller);
        const auto& files = context.registry.refresh(process);
        refuse_doubtful(context, files);
        refuse_impossible(files);
        wire::Resize resize;
        resize.run = files.lifecycle().run;
        resize.rows = arguments.rows;
        resize.columns = arguments.columns;
        const std::weak_ptr<OnResult<ResizeResult>> weak = call;
        context.fleet.resize(process, resize, [&context, process, resize, weak](const Roster::Answer& answer) {
            const auto reply = weak.lock();
            if (!reply || !context.registry.knows(process)) return;
            const auto& after = context.registry.refresh(process);
            if (answer.kind == Roster::Answer::Kind::done)
                return (*reply)(ResizeResult{after, resize.rows, resize.columns});
            (*reply)(Refusal(Refusal::Kind::failed,
                             describe(after) + " was not resized: " +
                                 (answer.text.empty() ? "its shim died at that moment" : answer.text)));
        });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
