#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/os/pid_fd.h"
#include "tests/torture/client.h"
#include "tests/torture/follower.h"
#include "tests/torture/input_pump.h"
#include "tests/torture/stream_plan.h"
#include "tests/torture/watched_page.h"

namespace pp::torture {

/// One process from its start to its clearing, under fire; then all that is left of it is held against what it did.
class Round {
  public:
    Round(Watchdog& dog, const test::Installation& installation, Client& client, const Plan& plan, Random random);

    /// With so many kills at most.
    Outcome run(std::uint64_t kills);

  private:
    /// How the child is to end, as it was told.
    struct Ending {
        ring::ExitKind kind = ring::ExitKind::exited;
        int value = 0;
    };
    void draw();
    [[nodiscard]] std::vector<std::string> command() const;
    void start();
    void rage(std::uint64_t kills);
    void tell_child_to_end();
    void wait_for_the_shim_to_leave();

    void check_output();
    void check_split(std::uint64_t total_out, std::uint64_t total_err);
    void check_one(std::uint64_t total);
    void check_input();
    void settle(const NumberCheck& check, std::optional<std::uint64_t> total);
    void check_exit();
    void check_events();
    void check_hub();
    void clear();
    void read_all(const std::function<void(std::span<const char>)>& visit) const;
    /// What the child says that it wrote on its streams; nothing if it did not come to say it.
    [[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> totals() const;
    [[nodiscard]] bool ends_by_hangup() const { return plan_.is_terminal() && plan_.leaves_nobody(); }
    void violate(const std::string& what);

    Watchdog& dog_;
    const test::Installation& installation_;
    Client& client_;
    const Plan& plan_;
    Random random_;

    Sizes sizes_ = Sizes::big;
    bool overwrites_ = false;  ///< the ring is smaller than the stream, and a follower reads along
    End end_ = End::in_peace;
    Ending ending_;
    std::uint64_t capacity_ = 0;
    std::uint64_t most_ = 0;  ///< bytes of each stream

    std::uint64_t process_ = 0;
    std::optional<WatchedPage> page_;
    os::PidFd main_;
    std::optional<InputPump> pump_;
    std::optional<Follower> follower_;
    std::atomic<bool> input_ends_ = false;
    std::string failure_;  ///< of the thread that kills
    Outcome outcome_;
};

}  // namespace pp::torture
