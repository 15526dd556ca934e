#include <deque>
#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/samples.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"

// How long a start takes over the hub's control socket, until the child runs.
//
// A start makes seven files. ext4 passes over inodes that were deleted within the last minutes, one by one,
// so after many deletions (another run of the benches or the tests) it is slower: measured 9 ms in place
// of 3. For the same reason all is measured in one home.

namespace {

using namespace pp;
using namespace pp::bench;

constexpr int kSingles = 200;
constexpr int kMany = 1000;
constexpr int kRounds = 3;  // of the bare ones, before: those of pp leave work behind

Spawned spawn_idle(int number) {
    return Spawned{{program("bench_idle"), std::to_string(number)}};
}

/// One start after the other, each beside a bare one.
void measure_singles(Control& control) {
    std::vector<Seconds> by_pp;
    std::vector<Seconds> bare;
    std::deque<Spawned> children;
    for (int i = 0; i < kSingles; ++i) {
        const Stopwatch one;
        control.start_idle();
        by_pp.push_back(one.elapsed());
        const Stopwatch other;
        children.push_back(spawn_idle(i));
        bare.push_back(other.elapsed());
    }
    const Seconds pp = median(by_pp);
    const Seconds spawn = median(bare);
    print_row("one start until it runs, p50", at_most(25), pp / spawn,
              "posix_spawn: " + figure(milliseconds(spawn)) + " ms; pp " + figure(milliseconds(pp)) + " ms");
}

Seconds time_many_bare() {
    std::deque<Spawned> children;
    const Stopwatch watch;
    for (int i = 0; i < kMany; ++i) children.push_back(spawn_idle(i));
    return watch.elapsed();
}

void measure_many(Control& control) {
    std::vector<Seconds> bare;
    for (int round = 0; round < kRounds; ++round) bare.push_back(time_many_bare());
    const Seconds spawn = median(bare);
    const Stopwatch watch;
    control.start_idle(kMany);
    const Seconds pp = watch.elapsed();
    print_row("1,000 starts at once", at_most(15), pp / spawn,
              "1,000 times posix_spawn: " + figure(spawn.count()) + " s; pp " + figure(pp.count()) + " s");
}

void measure() {
    const test::Installation installation;
    Control control{installation};
    measure_singles(control);
    measure_many(control);
}

}  // namespace

int main() {
    return bench::run(measure);
}
