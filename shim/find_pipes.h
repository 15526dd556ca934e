#pragma once

#include <sys/types.h>

#include <vector>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/launch.h"

namespace pp::shim {

/// Inode of the pipe behind a descriptor, 0 if it has none.
std::uint64_t inode_of(int fd);

struct FoundPipe {
    ring::Source source;
    os::UniqueFd fd;  ///< our end of it, opened anew and non-blocking
};

struct FoundPipes {
    std::vector<FoundPipe> found;
    std::uint32_t unreachable_outputs = 0;  ///< not found, while there was one that we may not look into (setuid, undumpable)
};

/// Looks for pipes by inode (and the device that is that of all pipes) in /proc/PID/fd of these processes, and opens our end
/// of each that is there.
FoundPipes find_pipes(const std::vector<pid_t>& pids, const std::vector<ring::Source>& wanted);

/// Which pipes there are between us and a run's main, where nobody remembers: main has spare ends of its outputs at numbers that
/// are ours (child.h), and its stdin at 0. At most three; none of a terminal.
std::vector<ring::Source> recall_sources(pid_t main, std::uint32_t run, const rundir::Launch& launch);

}  // namespace pp::shim
