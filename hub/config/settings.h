#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::hub {

inline constexpr int kDefaultPort = 8947;

/// What can be set from outside. The command line goes before the environment, that before config.toml.
struct Settings {
    int port = kDefaultPort;            ///< 0: a free one
    bool needs_token = false;           ///< [hub] auth = "token": being of our uid is not enough on TCP
    std::vector<std::string> problems;  ///< what was not understood, and what holds instead; a line each
};

/// 0 to 65535; nothing for any other text.
std::optional<int> find_port(const std::string& text);

/// Reads [hub] port and auth of the user's config.toml, and PP_PORT. What cannot be understood is told, and where it may
/// have been about auth, the token is asked for.
Settings load_settings(const rundir::Home& home, const rundir::Environment& environment);

}  // namespace pp::hub
