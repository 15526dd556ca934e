#include "cli/output/style.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace pp::cli {
namespace {

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

const char* sequence(Colour colour) {
    switch (colour) {
        case Colour::none:
            return "";
        case Colour::bold:
            return "\033[1m";
        case Colour::dim:
            return "\033[2m";
        case Colour::red:
            return "\033[31m";
        case Colour::green:
            return "\033[32m";
        case Colour::yellow:
            return "\033[33m";
    }
    return "";
}

}  // namespace

bool may_colour(int fd) {
    const char* terminal = std::getenv("TERM");
    const bool dumb = terminal != nullptr && std::string_view{terminal} == "dumb";
    return ::isatty(fd) == 1 && !is_set("NO_COLOR") && !dumb;
}

std::string coloured(const std::string& text, Colour colour, bool enabled) {
    return enabled && colour != Colour::none ? sequence(colour) + text + "\033[0m" : text;
}

}  // namespace pp::cli
