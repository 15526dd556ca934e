#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/support/spawned.h"

namespace pp::bench {

/// A program under conmon, the monitor that container engines put where pp has its shim: what pp-shim is held
/// against.
///
/// conmon asks an OCI runtime for the process. Ours is a script of three lines that starts the program as it
/// is, so nothing of containers is measured. Killed with this, program included.
class Conmon {
  public:
    static bool installed();

    /// In a directory of its own, which must be empty. Returns when the program runs.
    Conmon(const std::string& directory, const std::vector<std::string>& argv);
    ~Conmon();
    Conmon(const Conmon&) = delete;
    Conmon& operator=(const Conmon&) = delete;

    /// Sleeps until the program has ended and its output is in the log.
    void wait() { monitor_->wait(); }
    [[nodiscard]] std::string log() const { return directory_ + "/log"; }

  private:
    std::string directory_;
    std::optional<Spawned> monitor_;
};

}  // namespace pp::bench
