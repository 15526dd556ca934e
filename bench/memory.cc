#include <unistd.h>

#include <deque>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/support/conmon.h"
#include "bench/support/control.h"
#include "bench/support/interval.h"
#include "bench/support/memory_group.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "tests/support/temp_dir.h"

// What pp's programs take of memory while the children do nothing.

namespace {

using namespace pp;
using namespace pp::bench;

constexpr int kMonitors = 100;
constexpr int kProcesses = 1000;
constexpr std::chrono::milliseconds kSettling{1000};
constexpr double kKilobyte = 1000;

/// kB of one process's share of what it maps: `Pss:`, or a part of it.
double proportional(pid_t pid, const std::string& key = "Pss:") {
    std::ifstream rollup{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
    for (std::string line; std::getline(rollup, line);) {
        if (line.starts_with(key)) return std::stod(line.substr(key.size())) * 1024 / kKilobyte;
    }
    throw std::runtime_error("no " + key + " of " + std::to_string(pid));
}

/// kB per child of what `start` starts a hundred of, with all that comes along. For each a group of its own:
/// what a dead one leaves goes away only by and by.
double growth(const MemoryGroup& group, const std::function<void()>& start) {
    const auto before = group.held();
    start();
    let_pass(kSettling);
    return (static_cast<double>(group.held()) - static_cast<double>(before)) / kMonitors / kKilobyte;
}

double growth_here(const MemoryGroup& group, const std::function<void()>& start) {
    group.add(::getpid());
    const double each = growth(group, start);
    group.leave();
    return each;
}

double bare_child() {
    const auto group = MemoryGroup::try_make().value();
    std::deque<Spawned> children;
    return growth_here(group, [&] {
        for (int i = 0; i < kMonitors; ++i)
            children.emplace_back(std::vector<std::string>{program("bench_idle")});
    });
}

double child_under_conmon() {
    const auto group = MemoryGroup::try_make().value();
    const test::TempDir scratch{"/tmp/pp-bench-"};
    std::deque<Conmon> monitored;
    return growth_here(group, [&] {
        for (int i = 0; i < kMonitors; ++i)
            monitored.emplace_back(scratch / std::to_string(i),
                                   std::vector<std::string>{program("bench_idle")});
    });
}

/// Shims have a hub, as always; hub and keeper are what they are whether one process runs or many.
struct OfPp {
    double child_under_shim = 0;
    double keeper = 0;
    double keeper_anonymous = 0;
    double hub_alone = 0;
    double hub_each = 0;
};

OfPp of_pp(const std::optional<MemoryGroup>& group) {
    OfPp found;
    const test::Installation installation;
    Control control{installation};
    found.hub_alone = proportional(installation.hub_pid());
    control.start_idle();
    const auto start = [&] { control.start_idle(kMonitors); };
    if (group) {
        group->add(installation.keeper_pid());
        found.child_under_shim = growth(*group, start);
    } else {
        start();
    }
    found.keeper = proportional(installation.keeper_pid());
    found.keeper_anonymous = proportional(installation.keeper_pid(), "Pss_Anon:");
    control.start_idle(kProcesses - kMonitors - 1);
    let_pass(kSettling);
    found.hub_each = (proportional(installation.hub_pid()) - found.hub_alone) / kProcesses;
    return found;
}

void print_shims(const std::optional<MemoryGroup>& group, double child_under_shim) {
    const Floor floor = at_most(0.8);
    const std::string what = "a shim with the kernel's share, of 100";
    if (!group) return print_unmeasured(what, floor, "no memory control group can be made here");
    if (!Conmon::installed()) return print_unmeasured(what, floor, "conmon is not installed");
    const double child = bare_child();
    const double conmon = child_under_conmon() - child;
    const double shim = child_under_shim - child;
    print_row(what, floor, shim / conmon,
              "conmon: " + figure(conmon) + " kB; pp-shim " + figure(shim) + " kB; a child " + figure(child) +
                  " kB besides");
}

void measure() {
    const Spawned child{{program("bench_idle")}};
    const auto group = MemoryGroup::try_make();
    const auto pp = of_pp(group);
    print_shims(group, pp.child_under_shim);
    const double idle = proportional(child.process().pid());
    const std::string baseline = " x PSS of an idle static program: " + figure(idle) + " kB";
    print_row("PSS of the keeper, of 100", at_most(150, "kB"), pp.keeper,
              figure(pp.keeper / idle) + baseline);
    print_row("PSS of the hub, no process", at_most(12'000, "kB"), pp.hub_alone,
              figure(pp.hub_alone / idle) + baseline);
    print_row("PSS of the hub, per process", at_most(40, "kB"), pp.hub_each,
              figure(pp.hub_each / idle) + baseline);
}

}  // namespace

int main() {
    return bench::run(measure);
}
