#include "cli/follow/page_watch.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/cli/fabricated.h"

using namespace pp;

TEST_CASE("a page watch never misses a change", "[cli][follow]") {
    test::TemporaryHome home;
    test::Fabricated process{home.home(), 1, "web", "serve"};
    constexpr std::uint64_t kWrites = 20'000;
    os::Loop loop;
    std::unique_ptr<cli::PageWatch> page;
    const auto look = [&] {
        const auto seen = page->seen();
        if (page->read().tail >= kWrites) return loop.stop();
        page->arm(seen);
    };
    page = std::make_unique<cli::PageWatch>(loop, home.home().state_page(1), look);
    std::thread writer{[&] {
        process.begin_run(1);
        for (std::uint64_t i = 0; i < kWrites; ++i) process.write("x");
    }};
    look();
    if (!loop.stopped()) loop.run();
    writer.join();
    CHECK(page->read().tail == kWrites);
}

TEST_CASE("a page watch can go while its thread sleeps", "[cli][follow]") {
    test::TemporaryHome home;
    test::Fabricated process{home.home(), 1, "web", "serve"};
    os::Loop loop;
    for (int i = 0; i < 100; ++i) {
        cli::PageWatch page{loop, home.home().state_page(1), [] {}};
        page.arm(page.seen());
    }
}
