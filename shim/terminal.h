#pragma once

#include <cstdint>

#include "protocol/os/unique_fd.h"

namespace pp::shim {

/// Rows and columns, 1–1000 each; 0: not known.
struct TerminalSize {
    std::uint32_t rows = 24;
    std::uint32_t columns = 80;
};

/// A pseudo-terminal, and the pipe through which its output goes into the ring: the kernel can tell how far it came with
/// a pipe, and not with a terminal. What is between the two is kept by the pipe when a shim dies.
struct Terminal {
    os::UniqueFd master;     ///< non-blocking
    os::UniqueFd slave;      ///< held as long as main lives, so that the master is not hung up while nobody has it open
    os::UniqueFd aux_read;   ///< non-blocking
    os::UniqueFd aux_write;  ///< non-blocking
};

/// A new one, with the line discipline's defaults and UTF-8 erasing. Throws std::system_error.
Terminal open_terminal(TerminalSize size);
/// The slave of a master that an earlier shim opened.
os::UniqueFd open_slave(int master);

/// The foreground group gets SIGWINCH from the kernel. 0 or an errno.
int resize(int master, TerminalSize size);
TerminalSize size_of(int master);
/// What ends a line of input as its end, as stty has it (^D).
char end_of_input(int master);

}  // namespace pp::shim
