#include "protocol/ring/query.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/echo_server.h"
#include "bench/support/samples.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "protocol/rundir/process_files.h"

// How long the questions take that agents and people ask most: of 1,000 processes, and of a full log.

namespace {

using namespace pp;
using namespace pp::bench;
using nlohmann::json;

constexpr int kProcesses = 1000;
constexpr int kListings = 30;
constexpr int kQuestions = 300;
constexpr std::size_t kRequest = 200;
constexpr std::size_t kRead = 64u << 10;
constexpr const char* kLines = "500000";  // of 80 bytes: more than twice the default ring

/// The same question again and again, each beside the server that merely answers as many bytes.
void measure_question(Control& control, const std::string& what, const Floor& floor,
                      const std::string& operation, const json& arguments, int times) {
    const std::string words = arguments.dump();
    const std::size_t reply = control.answer(operation, words).size();
    EchoServer server{kRequest, reply};
    const auto connection = connect_to(server.port());
    std::vector<Seconds> by_pp;
    std::vector<Seconds> echoed;
    for (int i = 0; i < times; ++i) {
        const Stopwatch one;
        control.answer(operation, words);
        by_pp.push_back(one.elapsed());
        const Stopwatch other;
        exchange(connection.get(), std::string(kRequest, 'x'), reply);
        echoed.push_back(other.elapsed());
    }
    const Seconds pp = median(by_pp);
    const Seconds echo = median(echoed);
    print_row(what, floor, milliseconds(pp),
              figure(pp / echo) +
                  " x epoll server that answers as many bytes: " + figure(milliseconds(echo)) + " ms");
}

void measure_many_processes() {
    const test::Installation installation;
    Control control{installation};
    control.start_idle(kProcesses);
    const Floor floor = at_most(5, "ms");
    measure_question(control, "list of 1,000 processes, p50", floor, "list", json::object(), kListings);
    measure_question(control, "get_status of one of 1,000, p50", floor, "get_status", {{"process", "p500"}},
                     kQuestions);
}

/// The last 100 lines of a ring that was overwritten more than once, by whoever opens it anew.
Seconds time_tail(const ring::Reader::Paths& paths) {
    const Stopwatch watch;
    auto reader = ring::Reader::find(paths);
    ring::Query query;
    query.lines = 100;
    const auto answer = ring::query(reader.value(), query);
    const Seconds taken = watch.elapsed();
    if (answer.text.size() != 100 * 80) throw std::runtime_error("the log has no 100 lines");
    return taken;
}

Seconds time_plain_read(const std::string& path) {
    std::vector<char> buffer(kRead);
    const Stopwatch watch;
    const os::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (::pread(file.get(), buffer.data(), buffer.size(), 1 << 20) != static_cast<ssize_t>(kRead))
        throw std::runtime_error("pread of the ring came short");
    return watch.elapsed();
}

void measure_log() {
    const test::Installation installation;
    Control control{installation};
    const json lines = {"seq", "-f", "%079.0f", kLines};  // no two alike, which would be folded
    control.ask("start", {{"command", lines}, {"wait", {{"for", "exit"}}}});
    const auto paths = rundir::ring_paths(installation.home(), 1);
    std::vector<Seconds> tails;
    std::vector<Seconds> reads;
    for (int i = 0; i < kQuestions; ++i) {
        tails.push_back(time_tail(paths));
        reads.push_back(time_plain_read(paths.ring));
    }
    const Floor floor = at_most(1, "ms");
    print_row("last 100 lines of a full ring, p50", floor, milliseconds(median(tails)),
              figure(median(tails) / median(reads)) +
                  " x open and pread of 64 KiB of it: " + figure(milliseconds(median(reads))) + " ms");
    measure_question(control, "the same from the hub, p50", floor, "get_output",
                     {{"process", "p1"}, {"lines", 100}}, kQuestions);
}

/// A whole call of `pp`, from the shell's view.
void measure_cold_call() {
    test::Installation installation;
    Control{installation}.start_idle(1);
    const std::string home = "PP_HOME=" + installation.root();
    std::vector<Seconds> by_pp;
    std::vector<Seconds> bare;
    for (int i = 0; i < kListings; ++i) {
        const Stopwatch one;
        Spawned{{"env", home, program("pp"), "ls"}}.wait();
        by_pp.push_back(one.elapsed());
        const Stopwatch other;
        Spawned{{"env", home, "true"}}.wait();
        bare.push_back(other.elapsed());
    }
    print_row(
        "pp ls, cold, p50", at_most(20, "ms"), milliseconds(median(by_pp)),
        figure(median(by_pp) / median(bare)) + " x true: " + figure(milliseconds(median(bare))) + " ms");
}

void measure() {
    measure_many_processes();
    measure_log();
    measure_cold_call();
}

}  // namespace

int main() {
    return bench::run(measure);
}
