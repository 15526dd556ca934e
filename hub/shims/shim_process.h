#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>

#include "protocol/os/pid_fd.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

// Shims and keeper as the system shows them: pp signals nothing but what it knows to be its own. What is found is held by
// descriptor, opened before the look, so that the number is still its own when the signal is sent.

/// The shim of a process, if this pid is it beyond doubt: it executes pp-shim for this number, and has the process's lock, or is
/// the keeper's child and about to take it (`keeper` 0: not known).
std::optional<os::PidFd> find_shim(const rundir::Home& home, std::uint64_t process, pid_t pid, pid_t keeper);

/// Who executes pp-shim, by the process's number that it was given: of any home, so it is to be looked at. Reads all of /proc.
std::multimap<std::uint64_t, pid_t> find_shim_pids();

/// The first of these that is the shim of the process.
std::optional<os::PidFd> find_shim_among(const std::multimap<std::uint64_t, pid_t>& pids, const rundir::Home& home,
                                         std::uint64_t process, pid_t keeper);

/// The keeper, if this pid is it: it executes pp-keeper and has the keeper's lock.
std::optional<os::PidFd> find_keeper(const rundir::Home& home, pid_t pid);

/// Asks a shim or keeper to put back what bore a name in the run directory (SIGHUP). False if it is not ready to hear that:
/// it is just starting, and the signal would end it.
bool call_to_restore_names(const os::PidFd& process);

}  // namespace pp::hub
