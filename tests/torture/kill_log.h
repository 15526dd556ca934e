#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace pp::torture {

/// What the torture has sent to whom: what pp tells of an end must be among it. Any thread writes; read when all have ended.
class KillLog {
  public:
    using Time = std::chrono::system_clock::time_point;

    struct MainKill {
        std::uint64_t process = 0;
        std::uint32_t run = 0;
        int signal = 0;
        auto operator<=>(const MainKill&) const = default;
    };

    void add_main(const MainKill& kill);
    void add_shim(std::uint64_t process);
    void add_keeper();
    void add_hub();

    [[nodiscard]] bool has(const MainKill& kill) const { return mains_.contains(kill); }
    /// Shim and keeper were killed so close to each other that nobody may have been there to see an end at this time.
    [[nodiscard]] bool nobody_was_there(std::uint64_t process, std::int64_t time_ns) const;

    [[nodiscard]] std::uint64_t mains() const { return mains_sent_; }
    [[nodiscard]] std::uint64_t shims() const { return shims_.size(); }
    [[nodiscard]] std::uint64_t keepers() const { return keepers_.size(); }
    [[nodiscard]] std::uint64_t hubs() const { return hubs_; }

  private:
    struct ShimKill {
        std::uint64_t process;
        Time time;
    };
    mutable std::mutex mutex_;
    std::set<MainKill> mains_;
    std::vector<ShimKill> shims_;
    std::vector<Time> keepers_;
    std::uint64_t mains_sent_ = 0;
    std::uint64_t hubs_ = 0;
};

}  // namespace pp::torture
