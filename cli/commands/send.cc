#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/run/stdin_pump.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// All of our standard input, then its end.
int send_stdin(const Context& context, const std::string& process) {
    os::Loop loop;
    HubClient hub{loop, context};
    Answer last;
    const auto on_refused = [&](const Answer& answer) {
        last = answer;
        loop.stop();
    };
    StdinPump pump{loop, hub, process, {[&] { loop.stop(); }, on_refused}};
    loop.run();
    required(last);
    return code(Exit::done);
}

/// The child's pipe may take a part only: the rest is sent when the answer says so.
void send_text(const Context& context, const std::string& process, std::string text, bool eof) {
    os::Loop loop;
    HubClient hub{loop, context};
    while (true) {
        json question{{"process", process}};
        if (!text.empty()) question["text"] = text;
        if (eof) question["eof"] = true;
        const auto answer = required(hub.wait_for("send_input", json_text(question)));
        const auto taken = json::parse(answer.result).value("taken", text.size());
        if (taken >= text.size()) return;
        text.erase(0, taken);
    }
}

}  // namespace

int send_command(const Context& context, const Words& words) {
    std::optional<std::string> process, text;
    bool enter = false;
    bool eof = false;
    Arguments arguments{"send", "Send text to a process's standard input; '-' sends ours, to its end."};
    arguments.positional("NAME", process, "the process");
    arguments.positional("TEXT", text, "what to send; one that begins with a dash comes behind --");
    arguments.flag("--enter", enter, "and a newline");
    arguments.flag("--eof", eof, "and the end: close its standard input");
    arguments.parse(words);
    if (!process) throw Failure{Exit::usage, "there is no process named; such as: pp send web 'yes' --enter"};
    if (!text && !enter && !eof)
        throw Failure{Exit::usage, "there is nothing to send: give a text, -, --enter or --eof"};
    if (text && *text == "-") {
        if (enter) throw Failure{Exit::usage, "--enter and - exclude each other"};
        return send_stdin(context, *process);
    }
    const auto all = text.value_or("") + (enter ? "\n" : "");
    if (const auto whole = whole_text(all); whole.size != all.size())
        throw Failure{Exit::usage, "the text is not valid UTF-8; bytes can be sent by: ... | pp send NAME -"};
    send_text(context, *process, all, eof);
    return code(Exit::done);
}

}  // namespace pp::cli
