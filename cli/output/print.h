#pragma once

#include <string>
#include <string_view>

namespace pp::cli {

// stdout is data, stderr is talk.

/// Writes all of it to stdout. Throws OutputClosed if nobody reads any more, std::system_error for any other
/// refusal.
void print(std::string_view text);

/// "pp: text" and a newline on stderr, as plain text: it may hold names and commands of others. What stderr refuses is
/// nobody's concern.
void say(std::string_view text);

/// The same text as valid UTF-8 without control characters, for names and commands on a terminal: output of
/// others must not steer it. Newlines and tabs become blanks.
std::string printable(std::string_view text);

}  // namespace pp::cli
