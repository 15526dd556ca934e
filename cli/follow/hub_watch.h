#pragma once

#include <functional>
#include <memory>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"

namespace pp::cli {

/// Tells when a hub begins to listen: it writes run/hub.epoch then. For who waits for one without wanting to
/// start it.
class HubWatch {
  public:
    struct Owner {
        std::function<void()> on_hub;   ///< somebody has written an epoch; whose, find_hub tells
        std::function<void()> on_gone;  ///< run/ was removed
    };
    /// Throws std::system_error: run/ is missing, or the user has as many watches as the system gives.
    HubWatch(os::Loop& loop, const rundir::Home& home, Owner owner);

  private:
    void read();

    Owner owner_;
    os::UniqueFd notify_;
    std::unique_ptr<os::Loop::Watch> watch_;
};

}  // namespace pp::cli
