#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/torture/storm.h"
#include "tests/torture/streams.h"

namespace {

using namespace pp::torture;

constexpr const char* kUsage =
    "usage: tests/torture/run [streams|storm]... [--kills N] [--minutes M] [--seed S] [--only TEXT]\n"
    "\n"
    "  streams      numbered streams over pipes, stdin and terminals while what looks after them is killed\n"
    "  storm        a hundred processes, several clients, everything killed now and then\n"
    "  --kills N    of shims alone, for each kind of stream and file system (1000); others get a share of that\n"
    "  --minutes M  of storm (5)\n"
    "  --seed S     of all that is left to chance\n"
    "  --only TEXT  streams: just those whose name holds the text, such as \"stdin, shim, /tmp\"\n";

struct Options {
    bool streams = false;
    bool storm = false;
    std::uint64_t kills = 1000;
    double minutes = 5;
    std::uint64_t seed = 0;
    std::string only;
};

/// Throws std::invalid_argument.
Options parse(const std::vector<std::string>& words) {
    Options options;
    options.seed = std::random_device{}();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        const auto value = [&]() -> const std::string& {
            if (++i == words.size()) throw std::invalid_argument(word + " needs a value");
            return words[i];
        };
        if (word == "streams") options.streams = true;
        else if (word == "storm") options.storm = true;
        else if (word == "--kills") options.kills = std::stoull(value());
        else if (word == "--minutes") options.minutes = std::stod(value());
        else if (word == "--seed") options.seed = std::stoull(value());
        else if (word == "--only") options.only = value();
        else throw std::invalid_argument("unknown argument '" + word + "'");
    }
    if (!options.streams && !options.storm) options.streams = options.storm = true;
    return options;
}

double milliseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

void print_head() {
    std::printf("%-36s %7s %7s %10s %6s %7s %7s %8s %7s %9s %9s\n", "what, killed, where", "kills", "rounds", "MB", "lost", "doubled",
                "exits", "unknown", "unsure", "p50 ms", "max ms");
}

void print_row(const Plan& plan, Outcome& outcome) {
    auto& takeovers = outcome.kills.takeovers;
    std::sort(takeovers.begin(), takeovers.end());
    const double median = takeovers.empty() ? 0 : milliseconds(takeovers[takeovers.size() / 2]);
    const double longest = takeovers.empty() ? 0 : milliseconds(takeovers.back());
    std::printf("%-36s %7llu %7llu %10.1f %6llu %7llu %7llu %8llu %7llu %9.2f %9.2f\n", plan.name().c_str(),
                static_cast<unsigned long long>(outcome.kills.of(plan.victims)), static_cast<unsigned long long>(outcome.rounds),
                static_cast<double>(outcome.bytes) / 1e6, static_cast<unsigned long long>(outcome.lost),
                static_cast<unsigned long long>(outcome.doubled), static_cast<unsigned long long>(outcome.true_exits),
                static_cast<unsigned long long>(outcome.unknown_exits),
                static_cast<unsigned long long>(outcome.unsure_inputs), median, longest);
    std::fflush(stdout);
}

/// Returns what was violated.
std::vector<std::string> run_streams(const Options& options, Random& random) {
    std::vector<std::string> violations;
    print_head();
    for (const auto& plan : all_plans(options.kills)) {
        if (plan.name().find(options.only) == std::string::npos) continue;
        Outcome outcome = torture_streams(plan, random.split(), [&](const Outcome& so_far) {
            std::fprintf(stderr, "\r%s: %llu of %llu kills\033[K", plan.name().c_str(),
                         static_cast<unsigned long long>(so_far.kills.of(plan.victims)), static_cast<unsigned long long>(plan.kills));
        });
        std::fprintf(stderr, "\r\033[K");
        print_row(plan, outcome);
        for (const auto& violation : outcome.violations) std::printf("  VIOLATION: %s\n", violation.c_str());
        std::fflush(stdout);
        violations.insert(violations.end(), outcome.violations.begin(), outcome.violations.end());
    }
    return violations;
}

/// Returns what was violated.
std::vector<std::string> run_storm(const Options& options, Random& random) {
    StormPlan plan;
    plan.duration = std::chrono::seconds{static_cast<long>(options.minutes * 60)};
    const auto outcome = torture_by_storm(plan, random.split(), [&](std::uint64_t operations) {
        if (operations % 500 == 0) std::fprintf(stderr, "\rstorm: %llu operations\033[K", static_cast<unsigned long long>(operations));
    });
    std::fprintf(stderr, "\r\033[K");
    const auto figure = [](const char* what, std::uint64_t count) { std::printf("%-60s %9llu\n", what, static_cast<unsigned long long>(count)); };
    figure("storm of 100 processes, operations", outcome.operations);
    figure("hubs killed", outcome.hubs_killed);
    figure("keepers killed", outcome.keepers_killed);
    figure("shims killed", outcome.shims_killed);
    figure("main processes sent a signal", outcome.mains_killed);
    figure("runs held against what they say of themselves", outcome.runs);
    figure("of these with an unknown end", outcome.unknown_exits);
    for (const auto& [answer, count] : outcome.answers) std::printf("  %7llu  %s\n", static_cast<unsigned long long>(count), answer.c_str());
    for (const auto& violation : outcome.violations) std::printf("  VIOLATION: %s\n", violation.c_str());
    std::fflush(stdout);
    return outcome.violations;
}

int run(const Options& options) {
    const rlimit no_cores{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_cores);
    std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
    Random random{options.seed};
    std::vector<std::string> violations;
    if (options.streams) violations = run_streams(options, random);
    if (options.storm) {
        const auto more = run_storm(options, random);
        violations.insert(violations.end(), more.begin(), more.end());
    }
    if (violations.empty()) {
        std::printf("torture: nothing was violated (seed %llu)\n", static_cast<unsigned long long>(options.seed));
        return 0;
    }
    std::printf("torture: %zu VIOLATIONS (seed %llu)\n", violations.size(), static_cast<unsigned long long>(options.seed));
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words{argv + 1, argv + argc};
    if (std::find(words.begin(), words.end(), "--help") != words.end()) {
        std::fputs(kUsage, stdout);
        return 0;
    }
    try {
        return run(parse(words));
    } catch (const std::invalid_argument& wrong) {
        std::fprintf(stderr, "torture: %s\n%s", wrong.what(), kUsage);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "torture: %s\n", error.what());
        return 1;
    }
}
