#include "protocol/os/ofd_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"

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

/// One line of fdinfo: "lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:4711 0 1"; the last two are the first and last byte.
bool is_lock_on(const std::string& line, long byte) {
    long first = 0;
    long last = 0;
    return std::sscanf(line.c_str(), "lock: %*d: OFDLCK %*s WRITE %*d %*s %ld %ld", &first, &last) == 2 && first <= byte &&
           byte <= last;
}

bool has_lock_line(const std::string& fdinfo, long byte) {
    for (std::size_t at = 0; at < fdinfo.size();) {
        const auto end = std::min(fdinfo.find('\n', at), fdinfo.size());
        if (is_lock_on(fdinfo.substr(at, end - at), byte)) return true;
        at = end + 1;
    }
    return false;
}

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

bool OfdLock::is_at(const std::string& path) const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

bool OfdLock::is_held(const std::string& path, long byte) {
    const UniqueFd fd{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) return false;
    struct flock lock = on_byte(byte);
    return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool OfdLock::is_held_by(pid_t pid, const std::string& path, long byte) {
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) return false;
    const std::string process = "/proc/" + std::to_string(pid);
    const auto fds = open_descriptors(pid);
    return std::any_of(fds.begin(), fds.end(), [&](int fd) {
        struct stat status {};
        if (::stat((process + "/fd/" + std::to_string(fd)).c_str(), &status) != 0) return false;
        if (status.st_ino != file.st_ino || status.st_dev != file.st_dev) return false;
        return has_lock_line(find_file_content(process + "/fdinfo/" + std::to_string(fd)).value_or(""), byte);
    });
}

std::vector<pid_t> OfdLock::find_holders_of_removed(const std::string& path, const std::string& program) {
    const auto has_it = [&](pid_t pid) {
        const auto fds = open_descriptors(pid);
        return std::any_of(fds.begin(), fds.end(), [&](int fd) {
            return find_link("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd)) == path + " (deleted)";
        });
    };
    std::vector<pid_t> found;
    for (const pid_t pid : all_pids()) {
        const auto executed = find_program_path(pid);
        if (executed && executed->ends_with("/" + program) && has_it(pid)) found.push_back(pid);
    }
    return found;
}

pid_t OfdLock::find_holder(const std::string& path, long byte) {
    if (!is_held(path, byte)) return 0;
    const auto pids = all_pids();
    const auto holder = std::find_if(pids.begin(), pids.end(), [&](pid_t pid) { return is_held_by(pid, path, byte); });
    return holder == pids.end() ? 0 : *holder;
}

}  // namespace pp::os
