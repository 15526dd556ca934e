#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pp::hub {

/// A command as a caller gives it.
struct GivenCommand {
    std::variant<std::string, std::vector<std::string>> what;
    /// Whether a string goes through a shell, or through which; nothing: by what stands in it.
    std::optional<std::variant<bool, std::string>> shell;
};

/// What is executed, and the same as a shell would take it, for people.
struct PreparedCommand {
    std::vector<std::string> argv;
    std::string text;
};

/// Whether a string must go through a shell: ``|&;<>()$`"'\*?[]{}#~=!%`` or a newline.
bool has_shell_syntax(const std::string& text);

/// The rule of how commands are taken: an argv as it is; a string with shell syntax by `bash -c` (else `sh
/// -c`); any other is split at blanks. Throws Refusal for an empty command and for NUL bytes.
PreparedCommand prepare_command(const GivenCommand& given, const std::function<bool()>& has_bash);

/// One argument, quoted where a shell would want it.
std::string shell_quoted(const std::string& argument);

}  // namespace pp::hub
