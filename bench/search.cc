#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/samples.h"
#include "bench/support/spawned.h"
#include "bench/support/table.h"
#include "protocol/os/error.h"
#include "protocol/ring/tail.h"
#include "protocol/rundir/process_files.h"
#include "tests/support/temp_dir.h"

// How long a search of a full log of a gigabyte takes, beside ripgrep on the same bytes in a file.

namespace {

using namespace pp;
using namespace pp::bench;
using nlohmann::json;

constexpr std::uint64_t kSize = 1u << 30;
constexpr int kRounds = 7;

struct Case {
    const char* what;
    double floor;
    const char* pattern;
};
constexpr Case kCases[] = {
    {"a literal", 0.6, "connection reset by peer"},
    {"a regex with a literal in it", 1.5, "ERROR .*timeout after [0-9]+ms"},
    {"a regex without a literal", 1.0, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"},
    {"an alternation, case ignored", 0.5, "(?i)panic|fatal|segfault"},
};

bool has_ripgrep() {
    return std::system("command -v rg >/dev/null") == 0;
}

/// What a process has written, as a file. Its bytes are then in the page cache, as those of the ring are.
void extract(const ring::Reader::Paths& paths, const std::string& file) {
    auto reader = ring::Reader::find(paths);
    std::ofstream out{file, std::ios::binary};
    ring::Tail tail{reader.value(), {}, 0, UINT64_MAX, 1u << 20};
    std::uint64_t written = 0;
    while (const auto piece = tail.next()) {
        out.write(piece->text().data(), static_cast<std::streamsize>(piece->text().size()));
        written += piece->text().size();
    }
    if (!out.flush() || written != kSize) throw std::runtime_error("the log could not be extracted to " + file);
}

class Search {
  public:
    Search() {
        control_.ask("start", {{"command", {program("bench_log_lines"), std::to_string(kSize)}},
                               {"name", "logger"},
                               {"wait", {{"for", "exit"}, {"timeout", 600}}},
                               {"options", {{"log", {{"size", kSize}}}}}});
        extract(rundir::ring_paths(installation_.home(), 1), file_);
    }

    /// By default as ripgrep has it: one thread for one file, mapped.
    void measure(const Case& one) {
        std::vector<Seconds> by_pp;
        std::vector<Seconds> by_rg;
        for (int round = 0; round < kRounds; ++round) {
            const Stopwatch pp;
            const auto found = control_.ask("search_logs", {{"process", "p1"}, {"pattern", one.pattern}});
            by_pp.push_back(pp.elapsed());
            const Stopwatch rg;
            Spawned{{"rg", "--no-config", "--count", one.pattern, file_}}.wait();
            by_rg.push_back(rg.elapsed());
            if (round == 0) check(one, found);
        }
        const auto pp = median(by_pp);
        const auto rg = median(by_rg);
        print_row(name(one), at_least(one.floor), rg / pp,
                  "rg --count: " + speed(rg) + "; pp " + speed(pp) + " (throughput ratio)");
    }

    static std::string name(const Case& one) { return std::string{"search of a 1 GiB log: "} + one.what; }

  private:
    static std::string speed(Seconds time) { return figure(static_cast<double>(kSize) / 1e9 / time.count()) + " GB/s"; }

    /// Both found the same number of lines.
    void check(const Case& one, const json& found) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) os::throw_errno("pipe");
        const os::UniqueFd out{ends[0]};
        os::UniqueFd in{ends[1]};
        Spawned rg{{"rg", "--no-config", "--count", one.pattern, file_}, in.get()};
        in.reset();
        std::string counted(64, '\0');
        const auto got = ::read(out.get(), counted.data(), counted.size());
        counted.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        if (counted != found.at("matches").dump() + "\n" || found.at("lost_bytes") != 0)
            throw std::runtime_error(std::string{"rg finds other lines of "} + one.pattern + " than pp: " + counted);
    }

    test::Installation installation_;
    Control control_{installation_};
    test::TempDir scratch_{"/tmp/pp-bench-"};
    std::string file_ = scratch_ / "log";
};

void measure() {
    if (!has_ripgrep()) {
        for (const Case& one : kCases)
            print_unmeasured(Search::name(one), at_least(one.floor), "ripgrep is not installed");
        return;
    }
    Search search;
    for (const Case& one : kCases) search.measure(one);
}

}  // namespace

int main() {
    return bench::run(measure);
}
