#pragma once

#include <string>
#include <vector>

#include "protocol/os/pid_fd.h"

namespace pp::bench {

/// A plain child by posix_spawn, the baseline of what pp starts. Killed and reaped with this.
class Spawned {
  public:
    /// `out` becomes its stdout; not given, it writes to the null device. What it complains of is seen.
    explicit Spawned(const std::vector<std::string>& argv, int out = -1);
    Spawned(Spawned&&) = default;
    Spawned& operator=(Spawned&&) = delete;
    ~Spawned();

    [[nodiscard]] const os::PidFd& process() const { return process_; }
    /// Sleeps until it has ended.
    void wait();

  private:
    os::PidFd process_;
};

/// Path of a program that lies beside this one.
std::string program(const std::string& name);

}  // namespace pp::bench
