#include "hub/shims/shim_process.h"

#include <csignal>
#include <exception>
#include <string>
#include <utility>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"

namespace pp::hub {
namespace {

bool executes(pid_t pid, const std::string& program) {
    const auto path = os::find_program_path(pid);
    return path && path->ends_with("/" + program);
}

/// Held first, looked at then: the number cannot have become another's if it has not ended in between.
template <class Look>
std::optional<os::PidFd> find_if(pid_t pid, Look look) {
    if (pid <= 0) return std::nullopt;
    auto process = os::PidFd::find(pid);
    if (!process || !look() || process->ended()) return std::nullopt;
    return process;
}

}  // namespace

std::optional<os::PidFd> find_shim(const rundir::Home& home, std::uint64_t process, pid_t pid, pid_t keeper) {
    return find_if(pid, [&] {
        const auto arguments = os::find_arguments(pid);
        if (!executes(pid, "pp-shim") || arguments.size() < 2 || arguments[1] != std::to_string(process)) return false;
        if (os::OfdLock::is_held_by(pid, home.process_lock(process))) return true;
        const auto stat = os::find_proc_stat(pid);
        return keeper > 0 && stat && stat->parent == keeper;
    });
}

std::multimap<std::uint64_t, pid_t> find_shim_pids() {
    std::multimap<std::uint64_t, pid_t> found;
    for (const pid_t pid : os::all_pids()) {
        if (!executes(pid, "pp-shim")) continue;
        const auto arguments = os::find_arguments(pid);
        const auto process = arguments.size() < 2 ? std::nullopt : rundir::find_process_number("p" + arguments[1]);
        if (process) found.emplace(*process, pid);
    }
    return found;
}

std::optional<os::PidFd> find_shim_among(const std::multimap<std::uint64_t, pid_t>& pids, const rundir::Home& home,
                                         std::uint64_t process, pid_t keeper) {
    for (auto [candidate, end] = pids.equal_range(process); candidate != end; ++candidate) {
        if (auto shim = find_shim(home, process, candidate->second, keeper)) return shim;
    }
    return std::nullopt;
}

std::optional<os::PidFd> find_keeper(const rundir::Home& home, pid_t pid) {
    return find_if(pid, [&] { return executes(pid, "pp-keeper") && os::OfdLock::is_held_by(pid, home.keeper_lock()); });
}

bool call_to_restore_names(const os::PidFd& process) {
    return os::blocks_signal(process.pid(), SIGHUP) && process.send_signal(SIGHUP);
}

}  // namespace pp::hub
