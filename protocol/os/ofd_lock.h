#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// An exclusive open-file-description lock on one byte of a file (fcntl(2), F_OFD_SETLK). It lives as long as the
/// description, so it is never sent to another process; the file is never renamed or replaced.
///
/// Byte 0 says "I live". Byte 1, where it is used, says "I am still setting up": who lost the race for byte 0 sleeps on byte
/// 1 until the winner is ready, or dead.
class OfdLock {
  public:
    static constexpr long kAlive = 0;
    static constexpr long kStarting = 1;

    /// Nothing if somebody else holds it. Creates the file (0600) where there is none.
    static std::optional<OfdLock> try_take(const std::string& path, long byte = kAlive);
    /// Sleeps until it is free; nothing if `limit` passes first. Uses SIGALRM: for programs that set up.
    static std::optional<OfdLock> take_within(const std::string& path, long byte, std::chrono::seconds limit);
    /// Whether anybody holds it; asks with F_OFD_GETLK and never takes it. False if there is no such file.
    static bool is_held(const std::string& path, long byte = kAlive);
    /// Whether this process has it, by a descriptor that it has open. The kernel names no owner for such a lock (F_OFD_GETLK
    /// says pid -1), but /proc/PID/fdinfo shows it to the same user.
    static bool is_held_by(pid_t pid, const std::string& path, long byte = kAlive);
    /// Who holds it; 0 if nobody does, or nobody that can be seen. Reads all of /proc: for when something is wrong.
    static pid_t find_holder(const std::string& path, long byte = kAlive);

    /// One that came with its descriptor, through execve.
    explicit OfdLock(UniqueFd fd) : fd_{std::move(fd)} {}

    /// Processes that execute `program` (its name alone) and have the file open that bore this name before it was removed: their
    /// locks are of no use any more, and they do not know.
    static std::vector<pid_t> find_holders_of_removed(const std::string& path, const std::string& program);

    /// Gives it up before the end of its life.
    void release() { fd_.reset(); }
    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Whether `path` names the locked file still: who opens it locks another one if not.
    [[nodiscard]] bool is_at(const std::string& path) const;

  private:
    UniqueFd fd_;
};

}  // namespace pp::os
