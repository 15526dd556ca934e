#pragma once

#include <string>

namespace pp::cli {

/// Whether colour may be used on a descriptor: it is a terminal, NO_COLOR is unset or empty, TERM is not
/// "dumb".
bool may_colour(int fd);

enum class Colour { none, bold, dim, red, green, yellow };

/// `text` in a colour, or as it is where `enabled` is false.
std::string coloured(const std::string& text, Colour colour, bool enabled);

}  // namespace pp::cli
