#include "hub/history/reserved_numbers.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "protocol/os/atomic_file.h"
#include "protocol/os/read_file.h"

namespace pp::hub {
namespace {

constexpr std::uint64_t kAhead = 1000;

}  // namespace

ReservedNumbers::ReservedNumbers(std::string path, std::uint64_t history, std::string boot_id)
    : path_{std::move(path)}, history_{history}, boot_id_{std::move(boot_id)} {
    std::istringstream written{os::find_file_content(path_, 4096).value_or("")};
    std::uint64_t for_history = 0;
    std::string in_boot;
    if (!(written >> bound_)) bound_ = 0;
    written >> for_history >> in_boot;
    is_ours_ = for_history == history_ && !boot_id_.empty() && in_boot == boot_id_;
}

std::uint64_t ReservedNumbers::first_free(std::uint64_t next_known) const {
    return is_ours_ ? next_known : std::max(next_known, bound_);
}

void ReservedNumbers::cover(std::uint64_t next) {
    if (is_ours_ && next <= bound_) return;
    const auto bound = std::max(bound_, next + kAhead);
    os::write_atomic_file(path_,
                          std::to_string(bound) + " " + std::to_string(history_) + " " + boot_id_ + "\n",
                          0600, os::Durability::fsync);
    bound_ = bound;
    is_ours_ = true;
}

}  // namespace pp::hub
