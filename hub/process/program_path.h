#pragma once

#include <string>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Whether a program can be executed from this directory and with this environment's PATH, as execvp would
/// look for it.
struct ProgramLookup {
    enum class Kind { found, not_found, not_executable, is_directory };
    Kind kind = Kind::not_found;
    std::string path;  ///< what was found, or the last that was in the way
};
ProgramLookup look_up_program(const std::string& program, const std::string& directory,
                              const rundir::Environment& environment);

/// PATH where the environment has none.
inline constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

}  // namespace pp::hub
