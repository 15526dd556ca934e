#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/interval.h"
#include "bench/support/table.h"
#include "protocol/ring/state_page.h"

// How often pp's programs wake up while nothing happens.

namespace {

using namespace pp;
using namespace pp::bench;

constexpr int kChildren = 100;
constexpr std::chrono::milliseconds kSettling{3000};
constexpr std::chrono::milliseconds kIdle{60'000};

/// Of all threads of these: whoever slept and was woken has given up the processor of its own accord before.
long sleeps(const std::vector<pid_t>& pids) {
    long sum = 0;
    for (const pid_t pid : pids) {
        for (const auto& task :
             std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
            std::ifstream status{task.path() / "status"};
            const std::string key = "voluntary_ctxt_switches:";
            for (std::string line; std::getline(status, line);) {
                if (line.starts_with(key)) sum += std::stol(line.substr(key.size()));
            }
        }
    }
    return sum;
}

struct Group {
    std::string name;
    std::vector<pid_t> pids;
    long before = 0;
    long after = 0;

    [[nodiscard]] double per_second() const {
        return static_cast<double>(after - before) / std::chrono::duration<double>{kIdle}.count();
    }
};

std::vector<Group> groups_of(const test::Installation& installation) {
    Group shims{std::to_string(kChildren) + " shims", {}};
    Group children{"their idle children", {}};
    for (int number = 1; number <= kChildren; ++number) {
        const auto state =
            ring::find_state(installation.home().state_page(static_cast<rundir::ProcessNumber>(number)))
                .value();
        shims.pids.push_back(state.lifecycle.shim_pid);
        children.pids.push_back(state.lifecycle.main_pid);
    }
    return {{"hub", {installation.hub_pid()}}, {"keeper", {installation.keeper_pid()}}, shims, children};
}

void measure() {
    const test::Installation installation;
    Control{installation}.start_idle(kChildren);
    auto groups = groups_of(installation);
    let_pass(kSettling);
    for (auto& group : groups) group.before = sleeps(group.pids);
    let_pass(kIdle);
    for (auto& group : groups) group.after = sleeps(group.pids);

    const Group& children = groups.back();
    const std::string baseline = children.name + ": " + figure(children.per_second()) + " /s";
    for (const auto& group : groups) {
        if (&group != &children)
            print_row("wake-ups while idle, " + group.name, at_most(0, "/s"), group.per_second(), baseline);
    }
}

}  // namespace

int main() {
    return bench::run(measure);
}
