#pragma once

#include <sys/types.h>

#include <vector>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::shim {

/// Inode of the pipe behind a descriptor, 0 if it has none.
std::uint64_t inode_of(int fd);

struct FoundPipe {
    ring::Source source;
    os::UniqueFd fd;  ///< our end of it, opened anew and non-blocking
};

/// Looks for pipes by inode (and the device that is that of all pipes) in /proc/PID/fd of these processes, and opens our end
/// of each that is there. A process whose descriptors cannot be read (setuid, undumpable) is passed over.
std::vector<FoundPipe> find_pipes(const std::vector<pid_t>& pids, const std::vector<ring::Source>& wanted);

}  // namespace pp::shim
