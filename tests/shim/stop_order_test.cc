#include "shim/stop_order.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "shim/main_exit.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace std::chrono_literals;

namespace {

ring::StatePage make_page(const test::TempDir& dir) {
    const std::uint8_t uuid[16] = {1};
    return ring::StatePage::create(dir.path() + "/p1.state", 1, uuid, ring::Geometry::for_capacity(ring::kMinCapacity), 0);
}

ring::OrphanExit exit_of(pid_t pid, std::uint64_t start_time) {
    ring::OrphanExit exit;
    exit.pid = pid;
    exit.start_time = start_time;
    exit.kind = ring::ExitKind::exited;
    exit.value = 4;
    return exit;
}

/// A main that was reaped before we came.
os::PidFd reaped(pid_t pid) { return os::PidFd{os::UniqueFd{}, pid}; }

}  // namespace

TEST_CASE("a stop order goes from one shim to the next", "[shim][stop]") {
    const test::TempDir dir;
    const auto page = make_page(dir);
    CHECK(shim::load_stop_order(page).signal == SIGTERM);
    CHECK(shim::load_stop_order(page).left == 5s);
    shim::store_stop_order(page, SIGINT, 1h);
    auto order = shim::load_stop_order(page);
    CHECK(order.signal == SIGINT);
    CHECK(order.left > 59min);
    CHECK(order.left <= 1h);
    CHECK_FALSE(order.sent);
    page->stop_sent.store(1);
    CHECK(shim::load_stop_order(page).sent);
    shim::store_stop_order(page, SIGINT, 0ms);
    CHECK(shim::load_stop_order(page).left == 0ms);
}

TEST_CASE("the keeper's record tells how main ended, also to a shim that never learnt its start time", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = make_page(dir);
    REQUIRE(ring::store_orphan(page.fd(), exit_of(4711, 88)));
    for (const std::uint64_t known : {0, 88}) {
        const auto exit = shim::find_main_exit(reaped(4711), known, page, 0);
        REQUIRE(exit);
        CHECK(exit->kind == ring::ExitKind::exited);
        CHECK(exit->value == 4);
    }
    CHECK(shim::find_main_exit(reaped(4711), 89, page, 0)->kind == ring::ExitKind::unknown);  // the number was used again
    CHECK(shim::find_main_exit(reaped(4712), 88, page, 0)->kind == ring::ExitKind::unknown);
}

TEST_CASE("a main that lives has not ended, whatever a record says", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = make_page(dir);
    const auto self = os::PidFd::find(::getpid());
    REQUIRE(self);
    REQUIRE(ring::store_orphan(page.fd(), exit_of(::getpid(), 0)));
    CHECK_FALSE(shim::find_main_exit(*self, 0, page, 0));
}
