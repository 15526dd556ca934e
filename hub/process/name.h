#pragma once

#include <functional>
#include <optional>
#include <string>

namespace pp::hub {

/// What is wrong with a name that was given, for a person; nothing if it is a good one. A name is letters,
/// digits, '.', '_' and '-', at most 64, beginning with a letter or digit; never all digits (that is a pid),
/// never `p` and digits (an id).
std::optional<std::string> complaint_about_name(const std::string& name);

/// "npm run dev" → "npm-run-dev": a good name, whatever the command.
std::string slug_of(const std::string& command);

/// A name for a command without one: its slug; taken, the same behind the directory's own name; then with -2,
/// -3 …
std::string choose_name(const std::string& command, const std::string& directory,
                        const std::function<bool(const std::string&)>& is_taken);

}  // namespace pp::hub
