#include "cli/output/sink.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "protocol/os/error.h"

namespace pp::cli {
namespace {

constexpr std::size_t kToFile = 1u << 20;

bool is_file(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

Sink::Sink(os::Loop& loop, int fd, Owner owner)
    : fd_{fd}, owner_{std::move(owner)}, at_once_{is_file(fd) ? kToFile : std::size_t{PIPE_BUF}} {
    watch_ = std::make_unique<os::Loop::Watch>(loop, fd, 0, [this](short events) { on_event(events); });
}

bool Sink::has_room() const {
    pollfd polled{fd_, POLLOUT, 0};
    return ::poll(&polled, 1, 0) == 1;
}

void Sink::put(std::string_view bytes) {
    pending_.append(bytes);
    flush();
}

void Sink::flush() {
    std::size_t done = 0;
    while (!closed_ && done < pending_.size() && has_room()) {
        const ssize_t written =
            ::write(fd_, pending_.data() + done, std::min(pending_.size() - done, at_once_));
        if (written >= 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno == EPIPE || errno == EIO) {  // EIO: the terminal has gone
            closed_ = true;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            os::throw_errno("write", fd_ == STDOUT_FILENO ? "standard output" : "standard error");
        }
    }
    pending_.erase(0, closed_ ? pending_.size() : done);
    watch_->set_events(pending_.empty() ? 0 : POLLOUT);
    if (closed_ && watch_) {
        watch_->pause(true);
        owner_.on_closed();
    }
}

void Sink::on_event(short events) {
    if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        closed_ = true;
        flush();
        return;
    }
    const bool was_busy = busy();
    flush();
    if (was_busy && !busy() && !closed_) owner_.on_room();
}

}  // namespace pp::cli
