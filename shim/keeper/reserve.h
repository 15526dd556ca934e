#pragma once

#include <array>

#include "protocol/os/unique_fd.h"

namespace pp::keeper {

/// Descriptors that are kept from everybody else for one thing: to start a successor and hear it out.
class Reserve {
  public:
    /// Makes them free, until the next refill.
    void release();
    /// Takes those that are missing. False, with errno, if not all could be had.
    bool refill();
    /// Whether there is one besides. False, with errno, if not.
    static bool has_one_more();

  private:
    std::array<os::UniqueFd, 8> fds_;  // a socket pair, a pidfd, and two that come with its first message; the rest is for /proc
};

}  // namespace pp::keeper
