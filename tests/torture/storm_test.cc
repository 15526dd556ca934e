#include "tests/torture/storm.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace pp::torture;

TEST_CASE("after a storm of starts, stops and kills table, processes and history agree, and nothing has leaked", "[torture][storm]") {
    const char* given = std::getenv("PP_TORTURE_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    CAPTURE(seed);
    StormPlan plan;
    plan.operations = 600;
    const auto outcome = torture_by_storm(plan, Random{seed});
    for (const auto& violation : outcome.violations) FAIL_CHECK(violation);
    CHECK(outcome.operations >= plan.operations);
    CHECK(outcome.hubs_killed >= 1);
    CHECK(outcome.runs >= 50);
}
