#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/installation.h"
#include "tests/torture/keeper_ear.h"
#include "tests/torture/random.h"
#include "tests/torture/watched_page.h"

namespace pp::torture {

/// Who is killed at the same moment.
struct Victims {
    bool shim = false;
    bool keeper = false;
    bool hub = false;
    bool operator==(const Victims&) const = default;
};
/// "shim+hub"
std::string name_of(Victims victims);

/// What was killed so far, and how long it took until it was back.
struct Kills {
    std::uint64_t shims = 0;
    std::uint64_t keepers = 0;
    std::uint64_t hubs = 0;
    /// Each from the last SIGKILL until a successor's generation stands in the state page, as seen by who sleeps on its
    /// futex. Where no shim was killed, until another keeper has answered; where no keeper either, until another hub has
    /// said that it is ready.
    std::vector<std::chrono::nanoseconds> takeovers;

    void add(const Kills& more);
    [[nodiscard]] std::uint64_t of(Victims victims) const;
};

/// Kills what looks after one process, with SIGKILL and at random moments. For one thread.
class Killer {
  public:
    Killer(Watchdog& dog, const test::Installation& installation, const WatchedPage& page, std::uint64_t process,
           Victims victims, Random random);

    /// Lets 0.2 to 3 ms pass (20 in one of five times), and up to `respite` more, kills, starts a hub if that was killed, and
    /// sleeps until all are back. In one of four times a shim's successors are killed too, as they come up. `amid` is called
    /// when the victims have just been killed. False if the process has ended, so that its shim goes by itself.
    bool strike(const std::function<void()>& amid, std::chrono::nanoseconds respite = {});
    [[nodiscard]] const Kills& kills() const { return kills_; }

  private:
    using Clock = std::chrono::steady_clock;
    void chase();
    bool kill_shim(pid_t pid);
    void sleep(std::chrono::nanoseconds low, std::chrono::nanoseconds high);

    Watchdog& dog_;
    const test::Installation& installation_;
    const WatchedPage& page_;
    std::uint64_t process_;
    Victims victims_;
    Random random_;
    KeeperEar ear_;
    Kills kills_;
    std::set<pid_t> killed_shims_;
    Clock::time_point last_kill_;
    std::chrono::nanoseconds usual_takeover_{std::chrono::milliseconds{1}};
};

}  // namespace pp::torture
