#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"
#include "tests/support/directory_watch.h"
#include "tests/torture/watchdog.h"

namespace pp::torture {

/// Hears what the keeper tells hubs. For one thread.
class KeeperEar {
  public:
    KeeperEar(Watchdog& dog, const rundir::Home& home) : dog_{dog}, home_{home}, names_{home.run()} {}

    /// The pid of the keeper that listens now; 0 if none does.
    pid_t keeper();
    /// Sleeps until one listens that is not `old`, or until nobody needs one any more: the last shim takes its socket with it.
    void wait_for_other_than(pid_t old, const std::function<bool()>& is_needless);
    /// Forgets what it was told before.
    void forget();
    /// Sleeps until the keeper tells what became of the process's shim after `forget`: the successor's pid, or 0 if there is
    /// none or the keeper has gone too.
    pid_t wait_for_successor(std::uint64_t process);

  private:
    bool connect();
    std::optional<wire::KeeperMessage> receive(bool wait);

    Watchdog& dog_;
    const rundir::Home& home_;
    test::DirectoryWatch names_;
    os::UniqueFd socket_;
    pid_t pid_ = 0;
};

}  // namespace pp::torture
