#pragma once

#include <sys/types.h>

#include <optional>

#include "protocol/os/pid_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::shim {

/// How main ended: as its parent, from the keeper's record in the page, or as a stranger; kind unknown if nobody can tell
/// any more. Nothing while it lives, and while the keeper, its parent now, is about to tell.
/// `main` without a descriptor: it was reaped before we came.
std::optional<ring::OrphanExit> find_main_exit(const os::PidFd& main, std::uint64_t start_time,
                                               const ring::StatePage& page, pid_t keeper);

}  // namespace pp::shim
