#include <algorithm>
#include <array>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "cli/verbs.h"

namespace pp::cli {
namespace {

constexpr std::array<std::string_view, 9> kNaming{"status", "logs", "search", "stop",  "restart",
                                                  "wait",   "send", "clear",  "events"};

/// What may stand behind a verb, beside options.
std::string words_behind(std::string_view verb) {
    if (verb == "hub") return "start stop restart status serve";
    if (verb == "completion") return "bash zsh fish";
    return "";
}

bool names_process(std::string_view verb) {
    return std::find(kNaming.begin(), kNaming.end(), verb) != kNaming.end();
}

std::vector<std::string> options_of(const Context& context, const Verb& verb) {
    if (verb.name == "help" || verb.name == "version") return {};
    try {
        verb.function(context, {"--help"});
    } catch (const HelpAsked& help) {
        return help.options;
    }
    return {};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

/// For single quotes of fish.
std::string quoted(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return quoted + "'";
}

std::string all_verbs() {
    std::vector<std::string> names;
    for (const auto& verb : verbs()) {
        if (verb.function != nullptr) names.emplace_back(verb.name);
    }
    return joined(names);
}

/// Names for completion come from `pp ls`, which needs no hub.
std::string bash(const Context& context) {
    std::string text =
        "# pp completion for bash: eval \"$(pp completion bash)\"\n"
        "_pp_names() { command pp ls --all 2>/dev/null | awk 'NR > 1 { print $1; print $2 }'; }\n"
        "_pp() {\n"
        "    local current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"" +
        all_verbs() +
        "\" -A command -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    case \"${COMP_WORDS[1]}\" in\n";
    for (const auto& verb : verbs()) {
        if (verb.function == nullptr) continue;
        const std::string name{verb.name};
        text += "        " + name + ") words=\"" + joined(options_of(context, verb));
        const auto behind = words_behind(verb.name);
        text += (behind.empty() ? "" : " " + behind) + "\"";
        if (names_process(verb.name)) text += "; [[ \"$current\" == -* ]] || words=\"$words $(_pp_names)\"";
        text += " ;;\n";
    }
    return text +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _pp pp\n";
}

std::string zsh(const Context& context) {
    return "# pp completion for zsh: eval \"$(pp completion zsh)\"\n"
           "autoload -Uz bashcompinit && bashcompinit\n" +
           bash(context);
}

std::string fish(const Context& context) {
    std::string text =
        "# pp completion for fish: pp completion fish | source\n"
        "function __pp_names; command pp ls --all 2>/dev/null | awk 'NR > 1 { print $1; print $2 }'; end\n";
    for (const auto& verb : verbs()) {
        if (verb.function == nullptr) continue;
        const std::string name{verb.name};
        const std::string when = "complete -c pp -n '__fish_seen_subcommand_from " + name + "'";
        text += "complete -c pp -n __fish_use_subcommand -a " + name + " -d " + quoted(verb.summary) + "\n";
        for (const auto& option : options_of(context, verb))
            text += when +
                    (option.starts_with("--") ? " -l " + option.substr(2) : " -s " + option.substr(1)) + "\n";
        if (names_process(verb.name)) text += when + " -f -a '(__pp_names)'\n";
        if (const auto behind = words_behind(verb.name); !behind.empty())
            text += when + " -f -a '" + behind + "'\n";
    }
    return text;
}

}  // namespace

int completion_command(const Context& context, const Words& words) {
    std::optional<std::string> shell;
    Arguments arguments{"completion", "Print a completion script."};
    arguments.positional("SHELL", shell, "bash, zsh or fish");
    arguments.parse(words);
    const auto asked = shell.value_or("");
    if (asked == "bash")
        print(bash(context));
    else if (asked == "zsh")
        print(zsh(context));
    else if (asked == "fish")
        print(fish(context));
    else
        throw Failure{Exit::usage, "name a shell: bash, zsh or fish"};
    return code(Exit::done);
}

}  // namespace pp::cli
