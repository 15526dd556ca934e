#include "shim/keeper/nameless.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"

namespace pp::keeper {
namespace {

using Clock = std::chrono::steady_clock;

/// Held by descriptor; one that has no ear for SIGHUP yet is left alone.
std::optional<os::PidFd> find_nameless(const rundir::Home& home) {
    auto pids = os::OfdLock::find_holders_of_removed(home.keeper_lock(), "pp-keeper");
    if (const pid_t holder = os::OfdLock::find_holder(home.keeper_lock()); holder > 0) pids.push_back(holder);
    for (const pid_t pid : pids) {
        auto keeper = pid == ::getpid() ? std::nullopt : os::PidFd::find(pid);
        const auto program = os::find_program_path(pid);
        if (keeper && program && program->ends_with("/pp-keeper") && os::blocks_signal(pid, SIGHUP)) return keeper;
    }
    return std::nullopt;
}

/// Sleeps until something of the directory changes; false when the time has come, or the keeper has ended.
bool wait_for_change(const os::UniqueFd& changes, const os::PidFd& keeper, Clock::time_point end) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    std::array<pollfd, 2> polled = {pollfd{changes.get(), POLLIN, 0}, pollfd{keeper.get(), POLLIN, 0}};
    if (left <= 0 || ::poll(polled.data(), polled.size(), static_cast<int>(left)) <= 0 || polled[1].revents != 0) return false;
    std::array<char, 4096> events;
    return ::read(changes.get(), events.data(), events.size()) > 0;
}

}  // namespace

bool call_nameless(const rundir::Home& home, std::chrono::milliseconds patience) {
    const auto keeper = find_nameless(home);
    const os::UniqueFd changes{keeper ? ::inotify_init1(IN_CLOEXEC) : -1};
    if (!changes || ::inotify_add_watch(changes.get(), home.run().c_str(), IN_CREATE | IN_ATTRIB) < 0) return false;
    if (!keeper->send_signal(SIGHUP)) return false;
    const auto end = Clock::now() + patience;
    bool listens = false;
    while (!(listens = os::is_listening(home.keeper_socket())) && wait_for_change(changes, *keeper, end)) {
    }
    return listens;
}

}  // namespace pp::keeper
