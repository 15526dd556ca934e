#pragma once

#include <cstdint>

#include "protocol/os/pid_fd.h"
#include "protocol/os/unique_fd.h"

namespace pp::keeper {

struct StartedShim {
    int error = 0;  ///< errno if it could not be started; nothing runs then
    os::PidFd process;
    os::UniqueFd socket;  ///< our end of its birth socket
};

/// Starts a shim in a session of its own, with default and unblocked signals. Whatever fails is an errno.
StartedShim start_shim(std::uint64_t process, bool takeover) noexcept;

/// Whether it is a want of descriptors, memory or processes, which may pass.
bool is_shortage(int error);

}  // namespace pp::keeper
