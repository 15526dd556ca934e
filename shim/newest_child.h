#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "protocol/ring/state_page.h"

namespace pp::shim {

/// Who is the newest child: one word of the state page, on which a child that was just made and a successor of the shim that made
/// it come to agree. The shim may be killed between the two steps of a vfork, and the child come to run at any time after that:
/// either it has entered itself before a successor looks, and is adopted, or it is ruled out, and ends without having executed
/// anything.
class NewestChild {
  public:
    explicit NewestChild(ring::StatePageLayout& page) : word_{page.spawned} {}

    /// What a child that is about to be made has to find.
    [[nodiscard]] std::uint64_t seen() const { return word_.load(); }
    /// The child's word, which may be said between vfork and exec. False: it has been ruled out.
    [[nodiscard]] bool enter(std::uint64_t seen, std::uint32_t run, pid_t pid) {
        return word_.compare_exchange_strong(seen, ring::SpawnedChild{run, pid}.pack());
    }
    /// A successor's. False: the run has its child. `generation` of a shim is another one for each that makes children.
    [[nodiscard]] bool rule_out(std::uint32_t run, std::uint32_t generation) {
        auto seen = word_.load();
        if (ring::SpawnedChild::unpack(seen).run == run) return false;
        return word_.compare_exchange_strong(seen, ring::SpawnedChild{kRuledOut | generation, 0}.pack());
    }

    [[nodiscard]] pid_t pid() const { return ring::SpawnedChild::unpack(word_.load()).pid; }
    /// The child has ended, or a new run begins.
    void forget_pid() { word_.store(ring::SpawnedChild{ring::SpawnedChild::unpack(word_.load()).run, 0}.pack()); }
    /// Of a page that was made anew, while the child lives.
    void recall(std::uint32_t run, pid_t pid) { word_.store(ring::SpawnedChild{run, pid}.pack()); }

  private:
    static constexpr std::uint32_t kRuledOut = 1U << 31;  // no run has such a number

    std::atomic<std::uint64_t>& word_;
};

}  // namespace pp::shim
