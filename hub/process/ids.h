#pragma once

#include <cstdint>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Gives numbers to processes, each once for ever: state/next_id, replaced by rename under the hub's lock. If
/// that is lost, it goes on after the highest that is found under state/processes, in run/ and in the
/// history.
class Ids {
  public:
    explicit Ids(const rundir::Home& home) : home_{home} {}

    /// Numbers up to this one were seen.
    void note(std::uint64_t number);
    std::uint64_t next();

  private:
    [[nodiscard]] std::uint64_t highest_in_files() const;

    rundir::Home home_;
    std::uint64_t highest_ = 0;
};

}  // namespace pp::hub
