#include "hub/process/command.h"

#include <algorithm>
#include <string_view>

#include "hub/refusal.h"
#include "protocol/wire/codec.h"

namespace pp::hub {
namespace {

constexpr std::string_view kShellSyntax = "|&;<>()$`\"'\\*?[]{}#~=!%\n";
constexpr std::string_view kBlanks = " \t";

void refuse_nul(const std::string& text) {
    if (text.find('\0') != std::string::npos)
        throw Refusal(Refusal::Kind::usage,
                      "the command holds a NUL byte; no program can be given one in an argument");
}

[[noreturn]] void refuse_empty() {
    throw Refusal(Refusal::Kind::usage, "the command is empty; give the program and its arguments");
}

std::vector<std::string> split_at_blanks(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string::npos;) {
        const auto end = std::min(text.find_first_of(kBlanks, at), text.size());
        words.push_back(text.substr(at, end - at));
        at = text.find_first_not_of(kBlanks, end);
    }
    return words;
}

std::string joined(const std::vector<std::string>& argv) {
    std::string text;
    for (const auto& argument : argv) text += (text.empty() ? "" : " ") + shell_quoted(argument);
    return text;
}

/// The shell for a string; empty: none.
std::string shell_for(const GivenCommand& given, const std::string& text,
                      const std::function<bool()>& has_bash) {
    if (given.shell) {
        if (const auto* program = std::get_if<std::string>(&*given.shell)) return *program;
        if (!std::get<bool>(*given.shell)) return {};
    } else if (!has_shell_syntax(text)) {
        return {};
    }
    return has_bash() ? "bash" : "sh";
}

}  // namespace

bool has_shell_syntax(const std::string& text) {
    return text.find_first_of(kShellSyntax) != std::string::npos;
}

std::string shell_quoted(const std::string& argument) {
    // "=" and "%" are syntax to the rule above, but plain inside a word: --port=80
    const bool harmless =
        !argument.empty() && argument.find_first_of("|&;<>()$`\"'\\*?[]{}#~!\n \t") == std::string::npos;
    if (harmless) return argument;
    std::string quoted = "'";
    for (const char c : argument) {
        if (c == '\'')
            quoted += "'\\''";
        else
            quoted += c;
    }
    return quoted + "'";
}

PreparedCommand prepare_command(const GivenCommand& given, const std::function<bool()>& has_bash) {
    if (const auto* argv = std::get_if<std::vector<std::string>>(&given.what)) {
        if (argv->empty() || argv->front().empty()) refuse_empty();
        if (argv->size() > wire::kMaxElements)
            throw Refusal(Refusal::Kind::usage, "the command has " + std::to_string(argv->size()) +
                                                    " arguments; at most " + std::to_string(wire::kMaxElements) +
                                                    " are taken");
        for (const auto& argument : *argv) refuse_nul(argument);
        return {*argv, joined(*argv)};
    }
    const auto& text = std::get<std::string>(given.what);
    refuse_nul(text);
    if (text.find_first_not_of(" \t\n") == std::string::npos) refuse_empty();
    if (const auto shell = shell_for(given, text, has_bash); !shell.empty())
        return {{shell, "-c", text}, text};
    return {split_at_blanks(text), text};
}

}  // namespace pp::hub
