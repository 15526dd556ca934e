#include "tests/torture/kill_log.h"

#include <algorithm>

namespace pp::torture {
namespace {

constexpr std::chrono::seconds kTogether{5};  // within that, deposits may not have come to a new keeper

bool are_together(KillLog::Time a, KillLog::Time b) { return std::chrono::abs(a - b) < kTogether; }

}  // namespace

void KillLog::add_main(const MainKill& kill) {
    const std::scoped_lock lock{mutex_};
    mains_.insert(kill);
    ++mains_sent_;
}

void KillLog::add_shim(std::uint64_t process) {
    const std::scoped_lock lock{mutex_};
    shims_.push_back({process, std::chrono::system_clock::now()});
}

void KillLog::add_keeper() {
    const std::scoped_lock lock{mutex_};
    keepers_.push_back(std::chrono::system_clock::now());
}

void KillLog::add_hub() {
    const std::scoped_lock lock{mutex_};
    ++hubs_;
}

bool KillLog::nobody_was_there(std::uint64_t process, std::int64_t time_ns) const {
    const Time end{std::chrono::duration_cast<Time::duration>(std::chrono::nanoseconds{time_ns})};
    return std::any_of(shims_.begin(), shims_.end(), [&](const ShimKill& shim) {
        return shim.process == process && are_together(shim.time, end) &&
               std::any_of(keepers_.begin(), keepers_.end(), [&](Time keeper) { return are_together(keeper, shim.time); });
    });
}

}  // namespace pp::torture
