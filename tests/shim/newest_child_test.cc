#include "shim/newest_child.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>

using namespace pp;
using shim::NewestChild;

namespace {

struct Fixture {
    std::unique_ptr<ring::StatePageLayout> page = std::make_unique<ring::StatePageLayout>();
    NewestChild newest{*page};
};

}  // namespace

TEST_CASE("a child that has entered itself is the run's, and cannot be ruled out", "[shim][start]") {
    Fixture fixture;
    REQUIRE(fixture.newest.enter(fixture.newest.seen(), 1, 4711));
    CHECK_FALSE(fixture.newest.rule_out(1, 1));
    CHECK(fixture.newest.pid() == 4711);
}

TEST_CASE("a child that was ruled out before it ran never enters, whatever became of the run since", "[shim][start]") {
    Fixture fixture;
    const auto first = fixture.newest.seen();
    REQUIRE(fixture.newest.rule_out(1, 1));
    CHECK_FALSE(fixture.newest.enter(first, 1, 4711));
    const auto second = fixture.newest.seen();
    REQUIRE(fixture.newest.rule_out(1, 2));  // nor did the second one's shim live to see it run
    CHECK_FALSE(fixture.newest.enter(second, 1, 4712));
    REQUIRE(fixture.newest.enter(fixture.newest.seen(), 1, 4713));
    CHECK_FALSE(fixture.newest.enter(first, 1, 4711));
    fixture.newest.forget_pid();
    CHECK(fixture.newest.pid() == 0);
    CHECK_FALSE(fixture.newest.enter(second, 1, 4712));
    REQUIRE(fixture.newest.enter(fixture.newest.seen(), 2, 4714));
    CHECK(fixture.newest.pid() == 4714);
}

TEST_CASE("of a child that enters and a successor that rules it out, one is too late", "[shim][start]") {
    for (std::uint32_t run = 1; run <= 2000; ++run) {
        Fixture fixture;
        const auto seen = fixture.newest.seen();
        std::atomic<bool> go{false};
        bool has_entered = false;
        std::thread child{[&] {
            while (!go) {
            }
            has_entered = fixture.newest.enter(seen, run, 4711);
        }};
        go = true;
        const bool is_ruled_out = fixture.newest.rule_out(run, 1);
        child.join();
        REQUIRE(has_entered != is_ruled_out);
    }
}
