#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// How a process ended, as waitid(2) tells it.
struct ExitStatus {
    enum class Kind : std::uint32_t { exited = 1, signaled = 2, unknown = 3 };
    Kind kind = Kind::unknown;
    int value = 0;      ///< exit code or signal number; 0 if unknown
    bool core = false;  ///< a core was dumped

    /// From a wait status as of wait(2) and field 52 of /proc/PID/stat.
    static ExitStatus from_wait_status(int status);
};

/// A process held by descriptor: it stays this process, however often its number is used again.
/// Polls readable (POLLIN) when the process has ended.
class PidFd {
  public:
    PidFd() = default;
    explicit PidFd(UniqueFd fd, pid_t pid) : fd_{std::move(fd)}, pid_{pid} {}

    /// Nothing if there is no such process. Whether it is still the one meant is for the caller to check,
    /// by its start time, after this.
    static std::optional<PidFd> find(pid_t pid);

    [[nodiscard]] int get() const { return fd_.get(); }
    [[nodiscard]] pid_t pid() const { return pid_; }
    explicit operator bool() const { return static_cast<bool>(fd_); }
    UniqueFd release() { return std::move(fd_); }

    /// False if the process has ended and been reaped. Throws for a refusal (EPERM, EINVAL).
    bool send_signal(int signal) const;  // NOLINT(modernize-use-nodiscard): often sent in passing

    /// True when the process has ended, reaped or not.
    [[nodiscard]] bool ended() const;
    /// Sleeps until it has ended.
    void wait_for_end() const;

    /// How our child ended, without reaping it: the record is written first, then reap() is called.
    /// Nothing while it runs, or if it is not our child (ECHILD).
    [[nodiscard]] std::optional<ExitStatus> find_exit(rusage* usage = nullptr) const;

    /// Reaps our ended child; nothing happens if it is not ours or still runs.
    void reap() const;

  private:
    UniqueFd fd_;
    pid_t pid_ = 0;
};

/// How our child ended, without reaping it; its number is its own until then, so no descriptor is needed. Nothing while it
/// runs, or if it is not our child.
std::optional<ExitStatus> find_exit_of_child(pid_t pid, rusage* usage = nullptr);

/// How a process ended that is not our child, read from the zombie's own stat line (any kernel, its start time checked before
/// and after). Nothing once it has been reaped, and for one that we may not look into: for that the kernel writes 0.
std::optional<ExitStatus> find_exit_of_zombie(const PidFd& process, std::uint64_t start_time);

/// How it ended, once somebody has reaped it: PIDFD_GET_INFO of Linux >= 6.15. Nothing before, and from an older kernel.
std::optional<ExitStatus> find_exit_of_reaped(const PidFd& process);

/// By whatever way this kernel has.
std::optional<ExitStatus> find_exit_of_stranger(const PidFd& process, std::uint64_t start_time);

}  // namespace pp::os
