#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/torture/random.h"

namespace pp::torture {

struct StormPlan {
    std::size_t processes = 100;
    int control_clients = 4;  ///< on control.sock, as pp is
    int http_clients = 2;     ///< MCP
    std::uint64_t operations = 600;     ///< at least so many,
    std::chrono::seconds duration{0};   ///< and for at least so long
    std::uint64_t operations_a_hub = 150;  ///< then it is killed
};

/// What a storm came to.
struct StormOutcome {
    std::uint64_t operations = 0;
    std::map<std::string, std::uint64_t> answers;  ///< what was asked, and how it was answered
    std::uint64_t hubs_killed = 0;
    std::uint64_t keepers_killed = 0;
    std::uint64_t shims_killed = 0;
    std::uint64_t mains_killed = 0;
    std::uint64_t runs = 0;  ///< held against what the programs themselves say
    std::uint64_t unknown_exits = 0;
    std::vector<std::string> violations;
};

/// Starts, stops, restarts, kills and clears, all at once, and kills hubs, keepers and shims; then sees whether table,
/// processes, files and history agree, that nothing has leaked, and that a shutdown leaves nothing.
StormOutcome torture_by_storm(const StormPlan& plan, Random random,
                              const std::function<void(std::uint64_t operations)>& on_progress = {});

}  // namespace pp::torture
