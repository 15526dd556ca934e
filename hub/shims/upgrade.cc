// How shims and keeper come to execute the programs that lie beside this hub's own, while all that they look
// after runs on.

#include <csignal>
#include <exception>
#include <functional>
#include <utility>

#include "hub/shims/fleet.h"
#include "hub/shims/shim_process.h"
#include "hub/shims/succession.h"
#include "protocol/os/build_id.h"
#include "protocol/os/daemon.h"
#include "protocol/os/proc.h"

namespace pp::hub {
namespace {

constexpr std::chrono::seconds kUpLimit =
    2 * kPatience;  // one that hangs while it comes up is found, killed and succeeded

std::string build_of(int pid) {
    return os::build_id("/proc/" + std::to_string(pid) + "/exe");
}

/// Nothing but shims: then nobody's exit is lost with it.
bool is_parent_of_shims_alone(int keeper) {
    for (const int child : os::children_of(keeper)) {
        const auto program = os::find_program_path(child);
        if (!program || !program->ends_with("/pp-shim")) return false;
    }
    return true;
}

}  // namespace

std::vector<std::uint64_t> Fleet::outdated_shims() const {
    const auto program = os::sibling_program("pp-shim");
    std::vector<std::uint64_t> found;
    for (const auto process : roster_.processes()) {
        if (!os::executes_build(roster_.shim_pid(process), program)) found.push_back(process);
    }
    return found;
}

bool Fleet::has_outdated_keeper() const {
    return keeper_.keeper_pid() > 0 &&
           !os::executes_build(keeper_.keeper_pid(), os::sibling_program("pp-keeper"));
}

// A shim
// ---------------------------------------------------------------------------------------------------------------

void Fleet::upgrade_shim(std::uint64_t process, OnUpgraded then) {
    const auto& files = parts_.registry.refresh(process);
    Upgrade upgrade;
    const auto leave = [&](const std::string& why) {
        upgrade.result = Upgrade::Result::left;
        upgrade.why = why;
        then(upgrade);
    };
    const int pid = roster_.shim_pid(process);
    if (pid == 0 && (files.held || needs_shim(files))) {
        want_shim(process);
        return leave(files.held ? "its shim does not answer" : "it has no shim; one is started for it");
    }
    if (pid == 0) return then(upgrade);
    const auto program = os::sibling_program("pp-shim");
    upgrade.from = {pid, roster_.shim_version(process), build_of(pid)};
    if (os::executes_build(pid, program)) return then(upgrade);
    if (roster_.presence(process) == Roster::Presence::newer) return leave("its shim is of a newer pp");
    if (os::build_id(program).empty()) return leave("there is no program " + program);
    if (successions_.contains(process)) return leave("it is being upgraded already");

    const bool hands_over = roster_.hand_over(process);
    if (!hands_over && files.lifecycle().read_fallback != 0)
        return leave(
            "its shim captures by read, and is of a pp that cannot hand over: it would lose what it has just "
            "read");
    auto succession = std::make_unique<Succession>();
    succession->upgrade = upgrade;
    succession->then = std::move(then);
    succession->limit = std::make_unique<EventLoop::Timer>(parts_.loop, [this, process, pid] {
        if (roster_.shim_pid(process) == pid)
            return end_upgrade(
                process,
                "its shim has not made room: what was sent to its program's input waits to be read, or "
                "what it has could not be stored yet",
                Upgrade::Result::left);
        end_upgrade(process, "its successor did not come up in time; see " + parts_.home.log("shim"));
    });
    succession->limit->set(kUpLimit);
    successions_[process] = std::move(succession);
    if (hands_over) return;
    const auto shim = find_shim(parts_.home, process, pid, keeper_.keeper_pid());
    if (!shim)
        return end_upgrade(process, "its shim (pid " + std::to_string(pid) + ") is not known to be one");
    shim->send_signal(SIGKILL);
}

/// With an empty problem whenever a shim of the process says Hello: the old one may, too.
void Fleet::end_upgrade(std::uint64_t process, const std::string& problem, Upgrade::Result otherwise) {
    const auto found = successions_.find(process);
    if (found == successions_.end()) return;
    const int pid = roster_.shim_pid(process);
    const bool is_the_old_one = pid == found->second->upgrade.from.pid;
    if (problem.empty() && is_the_old_one) return;
    const auto succession = std::move(found->second);
    successions_.erase(found);
    Upgrade& upgrade = succession->upgrade;
    upgrade.result = Upgrade::Result::upgraded;
    upgrade.why = problem;
    if (pid > 0 && !is_the_old_one) upgrade.to = {pid, roster_.shim_version(process), build_of(pid)};
    if (problem.empty() && !os::executes_build(pid, os::sibling_program("pp-shim")))
        upgrade.why = "its successor is of another build than lies beside this hub: " +
                      os::find_program_path(pid).value_or("an unknown program");
    if (!upgrade.why.empty()) upgrade.result = otherwise;
    parts_.log.say(rundir::process_id(process) + ": " +
                   (upgrade.why.empty() ? "its shim is of build " + upgrade.to.build + " now"
                                        : "not upgraded: " + upgrade.why));
    succession->then(upgrade);
}

// The keeper
// -----------------------------------------------------------------------------------------------------------

void Fleet::upgrade_keeper(OnUpgraded then) {
    const auto program = os::sibling_program("pp-keeper");
    Upgrade upgrade;
    const auto leave = [&](const std::string& why) {
        upgrade.result = Upgrade::Result::left;
        upgrade.why = why;
        then(upgrade);
    };
    const int pid = keeper_.keeper_pid();
    if (pid > 0) upgrade.from = {pid, keeper_.keeper_version(), build_of(pid)};
    if (!has_outdated_keeper()) return then(upgrade);
    if (keeper_.keeper_protocol() > wire::kKeeperVersion) return leave("it is of a newer pp");
    const bool can_go_on = keeper_.keeper_protocol() >= wire::kUpgradeSince;
    if (!can_go_on && !is_parent_of_shims_alone(pid))
        return leave(
            "it is of a pp that cannot go on as another program, and it is the parent of programs whose "
            "shims have died: how "
            "those end would not be known. It can be replaced when they have ended");
    const std::function<void(const std::string&)> on_upgraded =
        [this, program, upgrade, then = std::move(then)](const std::string& problem) mutable {
            const int now = keeper_.keeper_pid();
            if (now > 0) upgrade.to = {now, keeper_.keeper_version(), build_of(now)};
            upgrade.result = Upgrade::Result::upgraded;
            upgrade.why = problem;
            if (problem.empty() && !os::executes_build(now, program)) upgrade.why = "it goes on as it was";
            if (!upgrade.why.empty()) upgrade.result = Upgrade::Result::failed;
            parts_.log.say(upgrade.why.empty() ? "the keeper is of build " + upgrade.to.build + " now"
                                               : "the keeper was not upgraded: " + upgrade.why);
            then(upgrade);
        };
    // one that cannot be executed must not be found out by the keeper
    parts_.worker.post(
        [this, program, can_go_on, on_upgraded, environment = parts_.home.environment()]() -> Worker::Then {
            std::string problem;
            try {
                if (!os::start_detached(program, {"--version"}, environment).starts_with("pp-keeper "))
                    problem =
                        program + " does not say, when it is asked for its --version, that it is a pp-keeper";
            } catch (const std::exception& error) {
                problem = error.what();
            }
            return [this, program, can_go_on, on_upgraded, problem] {
                if (!problem.empty()) return on_upgraded(problem);
                if (can_go_on) return keeper_.upgrade(program, on_upgraded);
                keeper_.replace(on_upgraded);
            };
        });
}

}  // namespace pp::hub
