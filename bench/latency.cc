#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/samples.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "protocol/os/error.h"
#include "protocol/os/futex.h"
#include "protocol/ring/state_page.h"
#include "protocol/ring/tail.h"
#include "protocol/rundir/process_files.h"

// How soon those who wait hear of an end and of output.

namespace {

using namespace pp;
using namespace pp::bench;
using nlohmann::json;
using std::chrono::nanoseconds;

constexpr int kExits = 50;
constexpr std::size_t kLines = 300;

nanoseconds now() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

// -- exits
// -----------------------------------------------------------------------------------------------------------

void kill_now(pid_t pid) {
    os::PidFd::find(pid).value().send_signal(SIGKILL);
}

Seconds time_bare_exit() {
    Spawned child{{program("bench_idle")}};
    const Stopwatch watch;
    child.process().send_signal(SIGKILL);
    child.wait();
    return watch.elapsed();
}

/// By the state page, as `pp wait` waits.
Seconds time_exit_by_page(const std::string& path) {
    const auto page = ring::StatePage::open(path, os::MappedFile::Access::read);
    const auto main = ring::read_state(page.fd()).lifecycle.main_pid;
    const Stopwatch watch;
    kill_now(main);
    while (true) {
        const auto seen = page->wake.load(std::memory_order_acquire);
        if (ring::read_state(page.fd()).lifecycle.state == ring::LifeState::finished) return watch.elapsed();
        os::futex_wait(page->wake, seen);
    }
}

/// By an answer of the hub that stays open until the end.
Seconds time_exit_by_hub(Control& control, const json& argv, const std::string& path) {
    const auto main = ring::find_state(path).value().lifecycle.main_pid;
    bool ended = false;
    control.ask("start", {{"command", argv}, {"wait", {{"for", "exit"}}}},
                [&](const json&) { ended = true; });
    control.ask("hub_status", json::object());  // behind it: the hub has read both
    const Stopwatch watch;
    kill_now(main);
    control.turn_until([&] { return ended; });
    return watch.elapsed();
}

/// As `pp events -f` hears of it.
Seconds time_exit_by_events(Control& control, const std::string& process, const std::string& path) {
    const auto main = ring::find_state(path).value().lifecycle.main_pid;
    const auto since = control.ask("events", {{"last", 0}}).at("number");
    bool ended = false;
    control.ask("events", {{"process", process}, {"since", since}, {"kinds", {"exited"}}, {"wait", true}},
                [&](const json&) { ended = true; });
    control.ask("hub_status", json::object());  // behind it: the hub has read both
    const Stopwatch watch;
    kill_now(main);
    control.turn_until([&] { return ended; });
    return watch.elapsed();
}

void measure_exits() {
    const test::Installation installation;
    Control control{installation};
    std::vector<Seconds> bare;
    std::vector<Seconds> by_page;
    std::vector<Seconds> by_hub;
    std::vector<Seconds> by_events;
    const auto start = [&](int number) {
        const json argv = {program("bench_idle"), std::to_string(number)};
        control.ask("start", {{"command", argv}, {"wait", {{"for", "none"}}}});
        return argv;
    };
    for (int i = 0; i < kExits; ++i) {
        const auto page = [&](int number) {
            return installation.home().state_page(static_cast<rundir::ProcessNumber>(number));
        };
        start(3 * i + 1);
        by_page.push_back(time_exit_by_page(page(3 * i + 1)));
        const json argv = start(3 * i + 2);
        by_hub.push_back(time_exit_by_hub(control, argv, page(3 * i + 2)));
        const int followed = 3 * i + 3;
        start(followed);
        by_events.push_back(time_exit_by_events(control, "p" + std::to_string(followed), page(followed)));
        bare.push_back(time_bare_exit());
    }
    const Seconds base = median(bare);
    const auto print = [&](const std::string& what, Seconds seen) {
        print_row(what, at_most(5, "ms"), milliseconds(seen),
                  figure(seen / base) + " x waitid by the parent: " + figure(milliseconds(base)) + " ms");
    };
    print("exit seen on the state page, p50", median(by_page));
    print("exit seen by a client of the hub, p50", median(by_hub));
    print("exit seen by a follower of events, p50", median(by_events));
}

// -- output
// ----------------------------------------------------------------------------------------------------------

/// Ages of lines that say when they were written. The first are left out: they may have waited for the
/// reader.
class Ages {
  public:
    void add(std::string_view text) {
        const auto read_at = now();
        unfinished_ += text;
        for (std::size_t end; (end = unfinished_.find('\n')) != std::string::npos;
             unfinished_.erase(0, end + 1)) {
            const nanoseconds written_at{std::stoll(unfinished_.substr(0, end))};
            if (written_at > since_) ages_.emplace_back(read_at - written_at);
        }
    }
    [[nodiscard]] bool enough() const { return ages_.size() >= kLines; }
    [[nodiscard]] Seconds p50() const { return median(ages_); }

  private:
    nanoseconds since_ = now() + std::chrono::milliseconds{200};
    std::string unfinished_;
    std::vector<Seconds> ages_;
};

/// Of what a program writes to its stdout.
Seconds age_from(const std::vector<std::string>& argv) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) os::throw_errno("pipe");
    const os::UniqueFd out{ends[0]};
    os::UniqueFd in{ends[1]};
    const Spawned child{argv, in.get()};
    in.reset();
    Ages ages;
    std::array<char, 4096> buffer;
    while (!ages.enough()) {
        const ssize_t got = ::read(out.get(), buffer.data(), buffer.size());
        if (got <= 0) throw std::runtime_error(argv.front() + " has ended");
        ages.add({buffer.data(), static_cast<std::size_t>(got)});
    }
    return ages.p50();
}

/// By the ring, asleep on its state page.
Seconds age_in_ring(const rundir::Home& home) {
    const auto page = ring::StatePage::open(home.state_page(1), os::MappedFile::Access::read);
    auto reader = ring::Reader::find(rundir::ring_paths(home, 1)).value();
    ring::Tail tail{reader, {}, reader.refresh().tail};
    Ages ages;
    while (!ages.enough()) {
        const auto seen = page->wake.load(std::memory_order_acquire);
        bool any = false;
        while (const auto piece = tail.next()) {
            ages.add(piece->text());
            any = true;
        }
        if (!any) os::futex_wait(page->wake, seen);
    }
    return ages.p50();
}

void measure_output() {
    const test::Installation installation;
    const std::string ticker = program("bench_ticker");
    Control{installation}.ask("start", {{"command", {ticker}}, {"wait", {{"for", "none"}}}});
    const Seconds in_ring = age_in_ring(installation.home());
    const Seconds in_logs = age_from(
        {"env", "PP_HOME=" + installation.root(), program("pp"), "logs", "-f", "--raw", "-n", "1", "p1"});
    const Seconds bare = age_from({ticker});
    const auto print = [&](const std::string& what, Seconds age) {
        print_row(what, at_most(0.5, "ms"), milliseconds(age),
                  figure(age / bare) + " x read of the child's pipe: " + figure(milliseconds(bare)) + " ms");
    };
    print("output seen in the ring, p50", in_ring);
    print("output seen behind pp logs -f, p50", in_logs);
}

void measure() {
    measure_exits();
    measure_output();
}

}  // namespace

int main() {
    return bench::run(measure);
}
