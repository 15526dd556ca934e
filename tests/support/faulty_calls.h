#pragma once

#include <sys/syscall.h>

#include <array>

namespace pp::test {

/// Calls that the filter asks about: those by which a program uses disk, descriptors and processes, and that can be refused.
inline constexpr std::array kFaultyCalls = {
    SYS_openat,   SYS_write,  SYS_pwrite64, SYS_pread64,  SYS_splice, SYS_fsync,  SYS_fdatasync, SYS_ftruncate,
    SYS_fallocate, SYS_mkdir, SYS_rename,   SYS_accept4,  SYS_socket, SYS_pipe2,  SYS_vfork,     SYS_clone,
    SYS_clone3,   SYS_fork,   SYS_pidfd_open};

}  // namespace pp::test
