#include "cli/output/terminal_size.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace pp::cli {

std::optional<TerminalSize> find_terminal_size() {
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO}) {
        winsize size{};
        if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
            return TerminalSize{size.ws_row, size.ws_col};
    }
    return std::nullopt;
}

std::size_t terminal_width(int fd) {
    winsize size{};
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace pp::cli
