#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace pp::cli {

struct TerminalSize {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};

/// Of the terminal behind standard output, error or input, whichever is one first; nothing if none is, or knows its size.
std::optional<TerminalSize> find_terminal_size();
/// Columns of the terminal behind this descriptor; 0 if it is none.
std::size_t terminal_width(int fd);

}  // namespace pp::cli
