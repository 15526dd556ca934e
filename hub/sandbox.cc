#include "hub/sandbox.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "protocol/os/pid_namespace.h"
#include "protocol/os/read_file.h"
#include "protocol/os/unique_fd.h"

namespace pp::hub {
namespace {

constexpr int kLandlockLayers = 16;  // LANDLOCK_MAX_NUM_LAYERS; of a kernel with room for more we say nothing

std::string status_of(const std::string& process) {
    return os::find_file_content("/proc/" + process + "/status").value_or("");
}

int value_in(const std::string& status, const std::string& key) {
    const auto at = ("\n" + status).find("\n" + key + ":\t");
    return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + key.size() + 2);
}

/// Landlock answers no question, but takes only so many rulesets, one over the other: those that it does not take any
/// more are there already. Tried by a thread that ends, because a ruleset binds the thread that takes it; this one
/// forbids what nobody does, to make block devices.
bool is_landlocked() {
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    const os::UniqueFd ruleset{static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0))};
    if (!ruleset) return false;  // the kernel has no Landlock, or a filter hides it
    bool is_full_too_early = false;
    std::thread{[&] {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int taken = 0;
        while (taken < kLandlockLayers && ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0) ++taken;
        is_full_too_early = taken < kLandlockLayers && errno == E2BIG;
    }}.join();
    return is_full_too_early;
}

/// /proc is of an outer pid namespace, and has a number for us there too.
bool is_below_proc(const std::string& own_status) {
    const auto at = own_status.find("\nNSpid:\t");
    if (at == std::string::npos) return false;
    const auto numbers = own_status.substr(at + 8, own_status.find('\n', at + 1) - at - 8);
    return numbers.find('\t') != std::string::npos;
}

/// The network namespace that the machine began with: the others do not have this setting.
bool is_on_first_network() { return ::access("/proc/sys/net/core/netdev_budget", F_OK) == 0; }

}  // namespace

/// A container has a pid namespace of its own, and a network of its own, so that those who call are in it. Who shares
/// the machine's network is called by others.
Sandbox::Sandbox() : pid_namespace_{os::own_pid_namespace()} {
    const auto status = status_of("self");
    const bool is_first = pid_namespace_ == os::kFirstPidNamespace || pid_namespace_ == 0;
    is_inner_ = is_below_proc(status) || (!is_first && is_on_first_network());
    if (!is_inner_) first_ = confinement_in(status_of("1"));  // else it is of the same sandbox, and no measure
    own_ = confinement_in(status);
    has_landlock_ = is_landlocked();
}

Sandbox::Confinement Sandbox::confinement_in(const std::string& status) {
    const int filters = value_in(status, "Seccomp_filters");  // since Linux 5.9
    return {filters > 0 ? filters : value_in(status, "Seccomp"), value_in(status, "NoNewPrivs")};
}

std::string Sandbox::ways(int keeper_pid, std::uint64_t callers_pid_namespace) const {
    const auto keeper = keeper_pid > 0 ? confinement_in(status_of(std::to_string(keeper_pid))) : Confinement{};
    const bool is_foreign =
        callers_pid_namespace != 0 && pid_namespace_ != 0 && callers_pid_namespace != pid_namespace_;
    std::string found;
    const auto add = [&](bool is_so, const char* way) {
        if (is_so) found += (found.empty() ? "" : ", ") + std::string{way};
    };
    add(std::max(own_.seccomp, keeper.seccomp) > first_.seccomp, "a seccomp filter");
    add(std::max(own_.no_new_privs, keeper.no_new_privs) > first_.no_new_privs, "no_new_privs");
    add(has_landlock_, "landlock");
    add(is_inner_ || is_foreign, "a pid namespace of its own");
    return found;
}

}  // namespace pp::hub
