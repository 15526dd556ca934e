#pragma once

#include <chrono>
#include <optional>
#include <string>

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

    /// Gives it up before the end of its life.
    void release() { fd_.reset(); }

  private:
    explicit OfdLock(UniqueFd fd) : fd_{std::move(fd)} {}
    UniqueFd fd_;
};

}  // namespace pp::os
