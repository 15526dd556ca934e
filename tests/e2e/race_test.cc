#include <catch2/catch.hpp>
#include <string>

#include "tests/support/installation.h"

using namespace pp;
using test::Installation;
using test::Running;

TEST_CASE("ten clients race to start the hub: there is one, and all are served", "[e2e][race]") {
    Installation pp;
    std::vector<std::unique_ptr<Running>> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(pp.start_pp({"run", "echo", std::to_string(i)}));
    for (int i = 0; i < 10; ++i) {
        const auto ran = clients[static_cast<std::size_t>(i)]->wait();
        CAPTURE(ran.err);
        CHECK(ran.code == 0);
        CHECK(ran.out == std::to_string(i) + "\n");
    }
    CHECK(pp.pp_json({"ls", "--all"})["processes"].size() == 10);
}

TEST_CASE("a second hub, and a second keeper, leave the first in place", "[e2e][race]") {
    Installation pp;
    pp.pp({"hub", "start"});
    const auto hub = pp.hub_pid();
    Running second{{Installation::program("pp-hub")}, pp.environment(), pp.work()};
    CHECK(second.wait().code == 0);
    CHECK(pp.hub_pid() == hub);
    REQUIRE(pp.pp({"run", "-d", "sleep", "1000"}).code == 0);
    const auto keeper = pp.keeper_pid();
    Running other{{Installation::program("pp-keeper")}, pp.environment(), pp.work()};
    CHECK(other.wait().code == 0);
    CHECK(pp.keeper_pid() == keeper);
}

TEST_CASE("a hub that comes after the shims finds them all", "[e2e][race]") {
    Installation pp;
    for (int i = 1; i <= 5; ++i) REQUIRE(pp.pp({"run", "-d", "--name", "n" + std::to_string(i), "sleep", "1000"}).code == 0);
    CHECK(pp.pp({"hub", "stop"}).code == 0);
    CHECK(pp.hub_pid() == 0);
    CHECK(pp.pp_json({"ls"})["processes"].size() == 5);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    for (int i = 1; i <= 5; ++i) CHECK(pp.pp({"stop", "n" + std::to_string(i)}).code == 0);
}
