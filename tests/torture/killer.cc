#include "tests/torture/killer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <optional>

#include "protocol/os/daemon.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"

namespace pp::torture {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kSoonest = microseconds{200};
constexpr nanoseconds kLatest = milliseconds{3};
constexpr nanoseconds kMuchLater = milliseconds{20};  // so that there is a stream to be torn at all
constexpr nanoseconds kLongestAim = milliseconds{100};
constexpr int kMostChases = 3;

/// All is told and nothing can come any more: its shim is about to leave.
bool is_over(const ring::StateSnapshot& state) {
    return state.lifecycle.exit_kind != ring::ExitKind::none && state.lifecycle.drained != 0;
}

bool kill_named(pid_t pid, const char* program) {
    const auto process = pid > 0 ? os::PidFd::find(pid) : std::nullopt;
    const auto stat = process ? os::find_proc_stat(pid) : std::nullopt;
    return stat && stat->comm == program && process->send_signal(SIGKILL);
}

std::vector<std::string> entries_of(const std::map<std::string, std::string>& environment) {
    std::vector<std::string> entries;
    for (const auto& [name, value] : environment) entries.push_back(name + "=" + value);
    return entries;
}

}  // namespace

std::string name_of(Victims victims) {
    std::string name;
    const auto add = [&](bool is, const char* word) {
        if (is) name += (name.empty() ? "" : "+") + std::string{word};
    };
    add(victims.keeper, "keeper");
    add(victims.shim, "shim");
    add(victims.hub, "hub");
    return name;
}

void Kills::add(const Kills& more) {
    shims += more.shims;
    keepers += more.keepers;
    hubs += more.hubs;
    takeovers.insert(takeovers.end(), more.takeovers.begin(), more.takeovers.end());
}

std::uint64_t Kills::of(Victims victims) const {
    return victims.shim ? shims : victims.keeper ? keepers : hubs;
}

Killer::Killer(Watchdog& dog, const test::Installation& installation, const WatchedPage& page, std::uint64_t process,
               Victims victims, Random random)
    : dog_{dog},
      installation_{installation},
      page_{page},
      process_{process},
      victims_{victims},
      random_{random},
      ear_{dog, installation.home()} {
    ::prctl(PR_SET_TIMERSLACK, 1);
}

/// A moment is drawn, not waited for: nothing depends on its length.
void Killer::sleep(nanoseconds low, nanoseconds high) {
    const auto moment = random_.moment(low, high);
    const timespec time{moment.count() / 1'000'000'000, moment.count() % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

bool Killer::kill_shim(pid_t pid) {
    const auto now = Clock::now();
    if (!kill_named(pid, "pp-shim")) return false;
    last_kill_ = now;
    killed_shims_.insert(pid);
    ++kills_.shims;
    return true;
}

bool Killer::strike(const std::function<void()>& amid, nanoseconds respite) {
    sleep(kSoonest, (random_.one_in(5) ? kMuchLater : kLatest) + respite);
    const auto before = page_.state();
    if (is_over(before)) return false;
    const pid_t old_keeper = ear_.keeper();
    last_kill_ = Clock::now();

    bool any = false;
    bool keeper_killed = false;
    bool hub_killed = false;
    std::vector<std::function<void()>> blows;
    if (victims_.shim) blows.emplace_back([&] { any |= kill_shim(before.lifecycle.shim_pid); });
    if (victims_.keeper) blows.emplace_back([&] { any |= keeper_killed = kill_named(old_keeper, "pp-keeper"); });
    if (victims_.hub) blows.emplace_back([&, hub = installation_.hub_pid()] { any |= hub_killed = kill_named(hub, "pp-hub"); });
    for (std::size_t left = blows.size(); left > 0; --left) {  // in any order
        std::swap(blows[left - 1], blows[random_.within<std::size_t>(0, left - 1)]);
        blows[left - 1]();
    }
    if (!any) return !is_over(page_.state());
    amid();
    kills_.keepers += keeper_killed ? 1 : 0;
    kills_.hubs += hub_killed ? 1 : 0;

    os::UniqueFd hub_ready;
    if (hub_killed)
        hub_ready = os::begin_detached(installation_.program("pp-hub"), {}, entries_of(installation_.environment()));
    const bool aims = victims_.shim && !victims_.keeper && random_.one_in(4);
    if (aims) chase();
    bool is_back = true;
    auto back_at = last_kill_;
    if (victims_.shim) {
        const auto after = page_.wait_until("a successor of its killed shim", [&](const auto& state) {
            return is_over(state) || !killed_shims_.contains(state.lifecycle.shim_pid);
        });
        back_at = Clock::now();
        is_back = !killed_shims_.contains(after.lifecycle.shim_pid);
        if (is_back && !aims) usual_takeover_ = std::min<nanoseconds>(back_at - last_kill_, kLongestAim);
    }
    if (keeper_killed) ear_.wait_for_other_than(old_keeper, [&] { return is_over(page_.state()); });
    if (keeper_killed && !victims_.shim) back_at = Clock::now();
    if (hub_killed) {
        const Watchdog::Wait wait{dog_, "a hub that follows the killed one"};
        os::read_report(hub_ready, "pp-hub");
        if (!victims_.shim && !keeper_killed) back_at = Clock::now();
    }
    if (is_back) kills_.takeovers.emplace_back(back_at - last_kill_);
    return true;
}

/// Kills successors as they come up.
void Killer::chase() {
    for (int left = random_.within(1, kMostChases); left > 0; --left) {
        const pid_t successor = ear_.wait_for_successor(process_);
        if (successor == 0) return;
        sleep(nanoseconds{0}, usual_takeover_);
        if (!kill_shim(successor)) return;
    }
}

}  // namespace pp::torture
