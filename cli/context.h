#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::cli {

/// What a command finds around itself. Made by main, before anything else.
struct Context {
    rundir::Home home;
    rundir::Environment environment;
    std::string working_directory;  ///< empty: it has been removed
};

using Words = std::vector<std::string>;

inline std::int64_t wall_clock_ns() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace pp::cli
