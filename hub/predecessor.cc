#include "hub/predecessor.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kOrderlyEnd{5000};

/// Held by descriptor before it is looked at.
void end(pid_t pid, bool (*is_meant)(pid_t)) {
    const auto hub = pid > 0 && pid != ::getpid() ? os::PidFd::find(pid) : std::nullopt;
    if (!hub || !is_meant(pid)) return;
    hub->send_signal(SIGTERM);
    pollfd polled{hub->get(), POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(kOrderlyEnd.count())) == 1) return;
    hub->send_signal(SIGKILL);
    hub->wait_for_end();
}

bool executes_hub(pid_t pid) {
    const auto program = os::find_program_path(pid);
    return program && program->ends_with("/pp-hub");
}

}  // namespace

void end_nameless_hubs(const rundir::Home& home) {
    for (const pid_t pid : os::OfdLock::find_holders_of_removed(home.hub_lock(), "pp-hub")) end(pid, executes_hub);
}

void end_unreachable_hub(const rundir::Home& home) { end(os::OfdLock::find_holder(home.hub_lock()), executes_hub); }

}  // namespace pp::hub
