#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

#include "protocol/os/pid_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::shim {

/// How main ended: as its parent, from the keeper's record in the page, or as a stranger; kind unknown if nobody can tell
/// any more. Nothing while it lives, and while the keeper, its parent now, is about to tell.
/// `main` without a descriptor: it was reaped before we came.
/// `ask_stranger`: how the system is asked of one that is nobody's child of ours.
using AskStranger = std::function<std::optional<os::ExitStatus>(const os::PidFd&, std::uint64_t start_time)>;
std::optional<ring::OrphanExit> find_main_exit(const os::PidFd& main, std::uint64_t start_time,
                                               const ring::StatePage& page, pid_t keeper,
                                               const AskStranger& ask_stranger = os::find_exit_of_stranger);

}  // namespace pp::shim
