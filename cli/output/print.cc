#include "cli/output/print.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "cli/failure.h"
#include "protocol/os/error.h"
#include "protocol/ring/plain_text.h"

namespace pp::cli {
namespace {

/// Someone else may have made the descriptor non-blocking: it is shared.
void wait_for_room(int fd) {
    pollfd polled{fd, POLLOUT, 0};
    ::poll(&polled, 1, -1);
}

/// 0, or the errno of the refusal.
int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno == EAGAIN)
            wait_for_room(fd);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

}  // namespace

void print(std::string_view text) {
    const int error = write_all(STDOUT_FILENO, text);
    if (error == EPIPE) throw OutputClosed{};
    if (error != 0) os::throw_error(error, "write", "standard output");
}

void say(std::string_view text) {
    write_all(STDERR_FILENO, "pp: " + ring::plain_view(text) + "\n");
}

std::string printable(std::string_view text) {
    std::string line = ring::plain_view(text);
    for (char& c : line) {
        if (c == '\n' || c == '\t') c = ' ';
    }
    return line;
}

}  // namespace pp::cli
