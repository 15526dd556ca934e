#pragma once

#include <sys/signalfd.h>

#include <csignal>
#include <initializer_list>
#include <optional>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// Blocks signals for this thread (and those it starts) and turns them into readable events.
/// Made before the first thread; children get default dispositions and an empty mask at spawn.
class SignalFd {
  public:
    explicit SignalFd(std::initializer_list<int> signals);

    [[nodiscard]] int get() const { return fd_.get(); }
    /// Next pending signal; read until there is none.
    std::optional<signalfd_siginfo> try_read();

  private:
    UniqueFd fd_;
};

}  // namespace pp::os
