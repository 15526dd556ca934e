#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// What `SHELL -l` sets up, asked of the shell itself. Blocks, so it runs on a worker. Nothing if the shell
/// does not answer in time or says nothing of use.
std::optional<rundir::Environment> find_login_environment(const std::string& shell,
                                                          const rundir::Environment& base,
                                                          std::chrono::milliseconds limit);

/// NUL-separated NAME=value, as `env -0` prints and /proc/PID/environ holds.
rundir::Environment parse_environment(const std::string& text);
std::string print_environment(const rundir::Environment& environment);

}  // namespace pp::hub
