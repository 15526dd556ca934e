#include "protocol/os/ofd_lock.h"

#include <fcntl.h>
#include <sys/time.h>

#include <cerrno>
#include <csignal>

#include "protocol/os/error.h"

namespace pp::os {
namespace {

struct flock on_byte(long byte) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = byte;
    lock.l_len = 1;
    return lock;
}

UniqueFd open_lock_file(const std::string& path) {
    UniqueFd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) throw_errno("open", path);
    return fd;
}

void interrupt(int) {}

}  // namespace

std::optional<OfdLock> OfdLock::try_take(const std::string& path, long byte) {
    UniqueFd fd = open_lock_file(path);
    struct flock lock = on_byte(byte);
    if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return OfdLock{std::move(fd)};
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    throw_errno("lock", path);
}

std::optional<OfdLock> OfdLock::take_within(const std::string& path, long byte, std::chrono::seconds limit) {
    UniqueFd fd = open_lock_file(path);
    struct sigaction action {};
    struct sigaction before {};
    action.sa_handler = interrupt;  // without SA_RESTART: the alarm ends the sleep in fcntl
    ::sigaction(SIGALRM, &action, &before);
    itimerval timer{};
    timer.it_value.tv_sec = limit.count();
    timer.it_interval.tv_usec = 100'000;  // should the alarm come just before the sleep, the next one ends it
    ::setitimer(ITIMER_REAL, &timer, nullptr);
    struct flock lock = on_byte(byte);
    const int result = ::fcntl(fd.get(), F_OFD_SETLKW, &lock);
    const int error = errno;
    timer = {};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    if (result == 0) return OfdLock{std::move(fd)};
    if (error == EINTR) return std::nullopt;
    throw_error(error, "lock", path);
}

bool OfdLock::is_held(const std::string& path, long byte) {
    const UniqueFd fd{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) return false;
    struct flock lock = on_byte(byte);
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace pp::os
