#include "hub/operations/input.h"

#include <algorithm>
#include <utility>

#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

constexpr std::size_t kMaxInput = 1u << 20;

void refuse_impossible(const rundir::ProcessFiles& files, const std::string& data, bool eof) {
    if (data.empty() && !eof)
        throw Refusal(Refusal::Kind::usage, "there is nothing to send: give text, enter or eof");
    if (data.size() > kMaxInput) throw Refusal(Refusal::Kind::usage, "at most 1 MiB can be sent at a time");
    if (!has_live_main(files))
        throw Refusal(Refusal::Kind::failed,
                      describe(files) + " does not run: it " + rundir::explanation(files));
    if (files.launch && files.launch->mode != "pty" && files.launch->stdin_mode != "pipe")
        throw Refusal(Refusal::Kind::failed,
                      describe(files) +
                          " has the null device as stdin; start it with options "
                          "{\"stdin\": \"pipe\"} (on the command line: pp run -i) or mode \"pty\" to send it input");
}

}  // namespace

Call send_input(Context& context, const InputArguments& arguments, const Caller& caller,
                OnResult<InputResult> then) {
    const auto call = std::make_shared<OnResult<InputResult>>(std::move(then));
    try {
        const auto process = resolve(context, arguments.target, caller);
        const auto& files = context.registry.refresh(process);
        refuse_doubtful(context, files);
        wire::Input input;
        input.run = files.lifecycle().run;
        input.data = arguments.data + (arguments.enter ? "\n" : "");
        input.eof = arguments.eof;
        input.id = caller.key;
        refuse_impossible(files, input.data, input.eof);
        const auto length = input.data.size();
        const std::weak_ptr<OnResult<InputResult>> weak = call;
        context.fleet.input(
            process, std::move(input),
            [&context, process, length, eof = arguments.eof, weak](const Roster::Answer& answer) {
                const auto reply = weak.lock();
                if (!reply || !context.registry.knows(process)) return;
                const auto& after = context.registry.refresh(process);
                switch (answer.kind) {
                    case Roster::Answer::Kind::done:
                        return (*reply)(
                            InputResult{after, std::min<std::uint64_t>(answer.count, length), length, eof && answer.count >= length});
                    case Roster::Answer::Kind::refused:
                    case Roster::Answer::Kind::no_answer:
                        return (*reply)(Refusal(Refusal::Kind::failed,
                                                describe(after) + " took no input: " + answer.text));
                    case Roster::Answer::Kind::lost:
                        return (*reply)(Refusal(
                            Refusal::Kind::failed,
                            "whether " + describe(after) +
                                " got the input is not known: its shim died or hung at that moment; look at its "
                                "output before sending it again"));
                }
            });
    } catch (const Refusal& refusal) {
        (*call)(refusal);
    }
    return call;
}

}  // namespace pp::hub
