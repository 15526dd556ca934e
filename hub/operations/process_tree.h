#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// A live process of a tree, as /proc tells.
struct TreeMember {
    int pid = 0;
    int parent = 0;
    std::string state;  ///< R S D Z T …
    std::string command;
    std::uint64_t cpu_ms = 0;
    std::uint64_t memory_kib = 0;
};

/// Main first, then its descendants by parent links, and those that lost their parent to a shim or keeper,
/// told by the mark in their environment; not looked into are `passed_over`, the keeper's thousand shims.
std::vector<TreeMember> process_tree(const rundir::Home& home, std::uint64_t process, int main_pid,
                                     const std::set<int>& foster_parents, const std::set<int>& passed_over);

}  // namespace pp::hub
