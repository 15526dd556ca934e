#include "tests/torture/streams.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace pp::torture;

namespace {

constexpr Victims kShim{true, false, false};
constexpr Victims kKeeper{false, true, false};
constexpr Victims kHub{false, false, true};
constexpr Victims kShimAndHub{true, false, true};
constexpr Victims kKeeperAndHub{false, true, true};
constexpr Victims kShimAndKeeper{true, true, false};
constexpr Victims kAll{true, true, true};

/// PP_TORTURE_SEED repeats what was left to chance.
std::uint64_t seed() {
    const char* given = std::getenv("PP_TORTURE_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

void hold(Kind kind, Victims victims, std::uint64_t kills, const char* directory = "/tmp") {
    Plan plan{kind, victims, kills, directory};
    plan.capacity = 32 << 20;
    plan.kills_a_round = plan.leaves_nobody() ? 1 : kills;
    const auto chance = seed();
    CAPTURE(chance);
    const auto outcome = torture_streams(plan, Random{chance});
    for (const auto& violation : outcome.violations) FAIL_CHECK(violation);
    CHECK(outcome.kills.of(victims) >= kills);
    CHECK(outcome.lost == 0);
    CHECK(outcome.doubled == 0);
    CHECK(outcome.true_exits + outcome.unknown_exits == outcome.rounds);
}

}  // namespace

TEST_CASE("shims killed at random moments cost a merged pipe no byte, and the exit code is true", "[torture][streams]") {
    hold(Kind::merged, kShim, 20);
}

TEST_CASE("shims killed at random moments cost split pipes no byte, and each stays its own", "[torture][streams]") {
    hold(Kind::split, kShim, 20);
}

TEST_CASE("shims killed at random moments: what was acknowledged as input arrives once", "[torture][streams][input]") {
    hold(Kind::input, kShim, 20);
}

TEST_CASE("shims killed at random moments cost a terminal no byte", "[torture][streams][pty]") {
    hold(GENERATE(Kind::raw_terminal, Kind::cooked_terminal), kShim, 20);
}

TEST_CASE("shims killed at random moments, with everything on a tmpfs, cost no byte", "[torture][streams]") {
    hold(Kind::merged, kShim, 20, "/dev/shm");
}

TEST_CASE("keepers killed at random moments are noticed by nobody", "[torture][streams]") {
    hold(GENERATE(Kind::merged, Kind::input, Kind::cooked_terminal), kKeeper, 5);
}

TEST_CASE("hubs killed at random moments are noticed by no program", "[torture][streams]") {
    hold(GENERATE(Kind::split, Kind::input), kHub, 5);
}

TEST_CASE("shim and hub killed at once cost no byte", "[torture][streams]") {
    hold(GENERATE(Kind::merged, Kind::input, Kind::raw_terminal), kShimAndHub, 5);
}

TEST_CASE("keeper and hub killed at once are noticed by no program", "[torture][streams]") {
    hold(GENERATE(Kind::split, Kind::raw_terminal), kKeeperAndHub, 5);
}

TEST_CASE("shim and keeper killed at once: a pipe's bytes are read on, and an end that nobody saw is unknown",
          "[torture][streams]") {
    hold(GENERATE(Kind::merged, Kind::split), kShimAndKeeper, 3);
}

TEST_CASE("all of pp killed at once: a pipe's bytes are read on by the next hub's shims", "[torture][streams]") {
    hold(GENERATE(Kind::merged, Kind::split), kAll, 3);
}

TEST_CASE("a terminal whose shim and keeper are killed at once hangs up; what was taken before is exact", "[torture][streams][pty]") {
    hold(GENERATE(Kind::raw_terminal, Kind::cooked_terminal), GENERATE(kShimAndKeeper, kAll), 1);
}
