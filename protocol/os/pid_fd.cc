#include "protocol/os/pid_fd.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"

namespace pp::os {
namespace {

// glibc 2.36 lacks P_PIDFD in some headers' view and PIDFD_GET_INFO altogether; values of linux/wait.h, linux/pidfd.h
constexpr idtype_t kPidFdId = static_cast<idtype_t>(3);

struct PidFdInfo {  // struct pidfd_info, first 72 bytes (Linux 6.15)
    std::uint64_t mask;
    std::uint64_t cgroup_id;
    std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
    std::uint64_t reserved;
};
constexpr std::uint64_t kPidFdInfoExit = 1U << 3;

/// waitid(2) by the raw system call, since only that fills in a rusage.
int wait_id(idtype_t type, int id, siginfo_t* info, int options, rusage* usage) {
    while (true) {
        const long result = ::syscall(SYS_waitid, type, id, info, options, usage);
        if (result == 0 || errno != EINTR) return static_cast<int>(result);
    }
}

std::optional<ExitStatus> find_exit(idtype_t type, int id, rusage* usage) {
    siginfo_t info{};
    if (wait_id(type, id, &info, WEXITED | WNOWAIT | WNOHANG, usage) != 0 || info.si_pid == 0) return std::nullopt;
    if (info.si_code == CLD_EXITED) return ExitStatus{ExitStatus::Kind::exited, info.si_status, false};
    return ExitStatus{ExitStatus::Kind::signaled, info.si_status, info.si_code == CLD_DUMPED};
}

}  // namespace

ExitStatus ExitStatus::from_wait_status(int status) {
    if (WIFEXITED(status)) return {Kind::exited, WEXITSTATUS(status), false};
    if (WIFSIGNALED(status)) return {Kind::signaled, WTERMSIG(status), WCOREDUMP(status) != 0};
    return {};
}

std::optional<PidFd> PidFd::find(pid_t pid) {
    UniqueFd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (fd) return PidFd{std::move(fd), pid};
    if (errno == ESRCH || errno == EINVAL) return std::nullopt;
    throw_errno("pidfd_open", std::to_string(pid));
}

bool PidFd::send_signal(int signal) const {
    if (::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0) == 0) return true;
    if (errno == ESRCH) return false;
    throw_errno("pidfd_send_signal", std::to_string(pid_));
}

bool PidFd::ended() const {
    pollfd polled{fd_.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
}

void PidFd::wait_for_end() const {
    pollfd polled{fd_.get(), POLLIN, 0};
    while (::poll(&polled, 1, -1) < 0 && errno == EINTR) {
    }
}

std::optional<ExitStatus> PidFd::find_exit(rusage* usage) const { return os::find_exit(kPidFdId, fd_.get(), usage); }

void PidFd::reap() const {
    siginfo_t info{};
    wait_id(kPidFdId, fd_.get(), &info, WEXITED | WNOHANG, nullptr);
}

std::optional<ExitStatus> find_exit_of_child(pid_t pid, rusage* usage) { return find_exit(P_PID, pid, usage); }

std::optional<ExitStatus> find_exit_of_zombie(const PidFd& process, std::uint64_t start_time) {
    const auto first = find_proc_stat(process.pid());
    const bool may_look = may_look_into(process.pid());
    const auto again = first ? find_proc_stat(process.pid()) : std::nullopt;
    if (!again || first->start_time != start_time || again->start_time != start_time) return std::nullopt;
    if (first->state != 'Z' || !first->exit_code) return std::nullopt;
    if (*first->exit_code == 0 && !may_look) return std::nullopt;
    return ExitStatus::from_wait_status(*first->exit_code);
}

std::optional<ExitStatus> find_exit_of_reaped(const PidFd& process) {
    PidFdInfo info{};
    info.mask = kPidFdInfoExit;
    const unsigned long request = _IOWR(0xFF, 11, PidFdInfo);
    if (::ioctl(process.get(), request, &info) != 0 || (info.mask & kPidFdInfoExit) == 0) return std::nullopt;
    return ExitStatus::from_wait_status(info.exit_code);
}

std::optional<ExitStatus> find_exit_of_stranger(const PidFd& process, std::uint64_t start_time) {
    const auto status = find_exit_of_zombie(process, start_time);
    return status ? status : find_exit_of_reaped(process);
}

}  // namespace pp::os
