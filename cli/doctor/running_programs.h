#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::cli::doctor {

/// A hub, keeper or shim of this home that lives, as /proc shows it: found though every file of it be gone.
struct RunningProgram {
    enum class Build { same, replaced, elsewhere };

    std::string name;  ///< pp-hub, pp-keeper, pp-shim
    pid_t pid = 0;
    std::uint64_t process = 0;  ///< of a shim
    char state = '?';           ///< R S D T Z, as of proc(5)
    Build build = Build::same;  ///< whether it executes the file that lies beside this pp, one that was
                                ///< replaced since, or another one
    std::string path;           ///< that it was executed from
};

/// Those with the same PP_HOME and uid.
std::vector<RunningProgram> find_running_programs(const rundir::Environment& environment);

/// Number in the command line of a shim, "pp-shim 12 --takeover"; 0 for any other (pure).
std::uint64_t process_of_shim(const std::string& command_line);

}  // namespace pp::cli::doctor
