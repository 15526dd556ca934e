#include <sys/stat.h>

#include <chrono>
#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/samples.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "protocol/os/error.h"

// How long a new hub takes, from its listening on, until all shims of a dead one are back and listed.

namespace {

using namespace pp;
using namespace pp::bench;
using std::chrono::nanoseconds;

constexpr int kShims = 1000;
constexpr int kRounds = 3;

/// A hub that listens writes its epoch: the file's time, to the kernel's tick.
nanoseconds listens_since(const rundir::Home& home) {
    struct stat status {};
    if (::stat(home.hub_epoch().c_str(), &status) != 0) os::throw_errno("stat", home.hub_epoch());
    return std::chrono::seconds{status.st_mtim.tv_sec} + nanoseconds{status.st_mtim.tv_nsec};
}

Seconds time_adoption(const test::Installation& installation) {
    test::Installation::kill_hard(installation.hub_pid());
    Control control{installation};  // starts the new one
    while (control.ask("hub_status", nlohmann::json::object()).at("shims") != kShims) {
    }
    while (control.ask("list", {{"state", "running"}}).at("processes").size() != kShims) {
    }
    return nanoseconds{cli::wall_clock_ns()} - listens_since(installation.home());
}

void measure() {
    const test::Installation installation;
    Control{installation}.start_idle(kShims);
    std::vector<Seconds> samples;
    std::vector<Seconds> starts;
    for (int round = 0; round < kRounds; ++round) {
        samples.push_back(time_adoption(installation));
        const Stopwatch watch;
        Spawned{{"true"}}.wait();
        starts.push_back(watch.elapsed());
    }
    const Seconds all = median(samples);
    const Seconds start = median(starts);
    print_row(
        "hub killed: 1,000 shims back and listed", at_most(0.5, "s"), all.count(),
        figure(all / start) + " x posix_spawn and wait of true: " + figure(milliseconds(start)) + " ms");
}

}  // namespace

int main() {
    return bench::run(measure);
}
