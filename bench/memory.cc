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

constexpr int kFew = 100;
constexpr int kMany = 1000;
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

/// kB for each child of what a hundred take, and a thousand, with all that comes along.
struct Each {
    double of_few = 0;
    double of_many = 0;
};

/// `start` starts so many more.
Each growth(const MemoryGroup& group, const std::function<void(int)>& start) {
    const auto before = static_cast<double>(group.held());
    const auto each = [&](int count) {
        let_pass(kSettling);
        return (static_cast<double>(group.held()) - before) / count / kKilobyte;
    };
    Each found;
    start(kFew);
    found.of_few = each(kFew);
    start(kMany - kFew);
    found.of_many = each(kMany);
    return found;
}

/// In a group of its own, which outlives what is started: what a dead one leaves goes away only by and by.
Each growth_here(const MemoryGroup& group, const std::function<void()>& start_one) {
    group.add(::getpid());
    const Each each = growth(group, [&](int count) {
        for (int i = 0; i < count; ++i) start_one();
    });
    group.leave();
    return each;
}

Each bare_child() {
    const auto group = MemoryGroup::try_make().value();
    std::deque<Spawned> children;
    return growth_here(group,
                       [&] { children.emplace_back(std::vector<std::string>{program("bench_idle")}); });
}

Each child_under_conmon() {
    const auto group = MemoryGroup::try_make().value();
    const test::TempDir scratch{"/tmp/pp-bench-"};
    std::deque<Conmon> monitored;
    return growth_here(group, [&] {
        monitored.emplace_back(scratch / std::to_string(monitored.size()),
                               std::vector<std::string>{program("bench_idle")});
    });
}

/// Shims have a hub, as always; hub and keeper are what they are whether one process runs or many.
struct OfPp {
    Each child_under_shim;
    double keeper = 0;
    double hub_alone = 0;
    double hub_each = 0;
};

OfPp of_pp(const std::optional<MemoryGroup>& group) {
    OfPp found;
    const test::Installation installation;
    Control control{installation};
    found.hub_alone = proportional(installation.hub_pid());
    control.start_idle();
    const auto start = [&](int count) {
        control.start_idle(count);
        if (count == kFew) found.keeper = proportional(installation.keeper_pid());
    };
    if (group) {
        group->add(installation.keeper_pid());
        found.child_under_shim = growth(*group, start);
    } else {
        start(kFew);
        start(kMany - kFew);
        let_pass(kSettling);
    }
    found.hub_each = (proportional(installation.hub_pid()) - found.hub_alone) / (kMany + 1);
    return found;
}

void print_shim(int count, double child, double under_conmon, double under_shim) {
    const double conmon = under_conmon - child;
    const double shim = under_shim - child;
    print_row("a shim with the kernel's share, of " + std::to_string(count), at_most(0.8), shim / conmon,
              "conmon: " + figure(conmon) + " kB; pp-shim " + figure(shim) + " kB; a child " + figure(child) +
                  " kB besides");
}

void print_shims(const std::optional<MemoryGroup>& group, const Each& under_shim) {
    const auto unmeasured = [](const std::string& why) {
        print_unmeasured("a shim with the kernel's share", at_most(0.8), why);
    };
    if (!group) return unmeasured("no memory control group can be made here");
    if (!Conmon::installed()) return unmeasured("conmon is not installed");
    const Each child = bare_child();
    const Each under_conmon = child_under_conmon();
    print_shim(kFew, child.of_few, under_conmon.of_few, under_shim.of_few);
    print_shim(kMany, child.of_many, under_conmon.of_many, under_shim.of_many);
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
