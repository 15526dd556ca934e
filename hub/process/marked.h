#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Live pids that carry a process's mark (rundir/mark.h) and what these started, ascending. Reads all of /proc: for
/// a process whose page does not tell what lives of it.
std::vector<pid_t> find_marked(const rundir::Home& home, std::uint64_t process);

}  // namespace pp::hub
