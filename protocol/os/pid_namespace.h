#pragma once

#include <cstdint>

namespace pp::os {

/// Which pid namespace we are in, as the kernel numbers it (an inode of nsfs); 0: /proc does not say. The number of a
/// process means the same to two programs only where this is the same.
std::uint64_t own_pid_namespace();

/// The namespace that the machine began with.
inline constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO

}  // namespace pp::os
