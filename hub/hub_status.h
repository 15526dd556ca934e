#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pp::hub {

/// What the hub says of itself. Empty text: nothing to say.
struct HubStatus {
    int pid = 0;
    std::string version;
    std::int64_t started_at_ns = 0;
    std::string mcp_url;
    std::string mcp_socket;
    std::string home;
    std::size_t processes = 0;
    std::size_t shims = 0;
    int keeper_pid = 0;
    std::size_t outdated_shims = 0;   ///< they execute another build than lies beside this hub
    bool is_keeper_outdated = false;  ///< so does the keeper
    int port = 0;  ///< 0: no TCP
    std::string port_problem;
    std::string history_problem;
    std::string sandbox;
    std::vector<std::string>
        settings_problems;  ///< what of the configuration was not understood, and what holds instead
};

}  // namespace pp::hub
