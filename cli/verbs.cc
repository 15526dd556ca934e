#include "cli/verbs.h"

#include <algorithm>
#include <array>

#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "protocol/rundir/nearest.h"

namespace pp::cli {
namespace {

constexpr std::array kVerbs{
    Verb{"run", "run a command, or join it if it runs already, and show its output", run_command},
    Verb{"ls", "list processes", ls_command},
    Verb{"status", "all there is to know of a process, or of the hub", status_command},
    Verb{"logs", "show the log of a process", logs_command},
    Verb{"search", "find lines in the logs of processes", search_command},
    Verb{"stop", "stop a process and its descendants", stop_command},
    Verb{"restart", "stop a process and start it again", restart_command},
    Verb{"wait", "wait for processes to end", wait_command},
    Verb{"send", "send text to a process's standard input", send_command},
    Verb{"events", "show what happened, or follow it", events_command},
    Verb{"clear", "forget finished processes and their logs", clear_command},
    Verb{"hub", "start, stop, restart or look at the hub", hub_command},
    Verb{"shutdown", "end everything of pp", shutdown_command},
    Verb{"doctor", "check what pp stands on, and say what to do", doctor_command},
    Verb{"completion", "print a completion script for bash, zsh or fish", completion_command},
    Verb{"version", "print the version", version_command},
    Verb{"help", "print this, or the help of a verb", help_command},
    Verb{"alerts", "", nullptr},
    Verb{"attach", "", nullptr},
    Verb{"audit", "", nullptr},
    Verb{"capture", "", nullptr},
    Verb{"diff", "", nullptr},
    Verb{"down", "", nullptr},
    Verb{"gc", "", nullptr},
    Verb{"history", "", nullptr},
    Verb{"import", "", nullptr},
    Verb{"mcp", "", nullptr},
    Verb{"port", "", nullptr},
    Verb{"reload", "", nullptr},
    Verb{"screen", "", nullptr},
    Verb{"service", "", nullptr},
    Verb{"setup", "", nullptr},
    Verb{"shell-hook", "", nullptr},
    Verb{"token", "", nullptr},
    Verb{"top", "", nullptr},
    Verb{"trust", "", nullptr},
    Verb{"up", "", nullptr},
};

Words without_first(const Words& words) {
    return {words.begin() + 1, words.end()};
}

/// "pp stopp web": what is no program may have been meant for a verb.
int run_what_may_be_a_verb(const Context& context, const Words& words) {
    try {
        return run_command(context, words);
    } catch (const Failure& failure) {
        std::vector<std::string> names;
        for (const auto& one : verbs()) names.emplace_back(one.name);
        const auto meant =
            failure.exit() == Exit::no_program ? rundir::find_nearest(words.front(), names) : std::nullopt;
        if (!meant) throw;
        throw Failure{failure.exit(), std::string{failure.what()} + "; did you mean 'pp " + *meant + "'?"};
    }
}

}  // namespace

std::span<const Verb> verbs() {
    return kVerbs;
}

const Verb* find_verb(std::string_view name) {
    const auto* const found =
        std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& verb) { return verb.name == name; });
    return found == kVerbs.end() ? nullptr : found;
}

std::string overview() {
    std::string text =
        "pp runs commands so that they outlive terminals, agents and pp itself, and keeps their output.\n\n"
        "Usage: pp VERB [ARGUMENT...]\n"
        "       pp COMMAND [ARGUMENT...]    the same as pp run COMMAND, if COMMAND is no verb\n\n";
    for (const auto& verb : kVerbs) {
        if (verb.function == nullptr) continue;
        std::string line = "  " + std::string{verb.name};
        line.append(line.size() < 14 ? 14 - line.size() : 1, ' ');
        text += line + std::string{verb.summary} + "\n";
    }
    return text +
           "\n'pp help VERB' tells what a verb takes. A process is named by its id (p12), pid, name, label "
           "or command.\n";
}

int dispatch(const Context& context, const Words& words) {
    if (words.empty()) return help_command(context, {});
    const auto& first = words.front();
    if (first == "-h" || first == "--help") return help_command(context, without_first(words));
    if (first == "-V" || first == "--version") return version_command(context, without_first(words));
    if (first.starts_with('-'))
        throw Failure{Exit::usage,
                      "'" + printable(first) + "' is no verb; options of run come behind 'pp run'"};
    const Verb* verb = find_verb(first);
    if (verb == nullptr) return run_what_may_be_a_verb(context, words);
    if (verb->function == nullptr) throw Failure{Exit::usage, "'" + first + "' is not in this version yet"};
    return verb->function(context, without_first(words));
}

}  // namespace pp::cli
