#include "hub/process/kept_pages.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <ctime>
#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

using namespace pp;
using hub::KeptPages;

namespace {

constexpr std::uint8_t kUuid[16] = {1};

/// A run directory with the page of p1.
struct Fixture {
    test::TempDir directory;
    rundir::Home home{rundir::Home::from_environment({{"PP_HOME", directory.path()}}, ::geteuid())};
    ring::StatePage page;

    Fixture() {
        home.prepare();
        page = new_page(0);
    }
    [[nodiscard]] ring::StatePage new_page(std::uint64_t tail) const {
        return ring::StatePage::create(home.state_page(1), 1, kUuid, ring::Geometry::for_capacity(1 << 20), tail);
    }
    /// As if nothing had happened in the run directory for an hour.
    void settle() const {
        const timespec times[2] = {{::time(nullptr) - 3600, 0}, {::time(nullptr) - 3600, 0}};
        REQUIRE(::utimensat(AT_FDCWD, home.run().c_str(), times, 0) == 0);
    }
};

}  // namespace

TEST_CASE("a page is kept open while nothing happens in the run directory", "[hub][pages]") {
    Fixture fixture;
    fixture.settle();
    KeptPages pages{fixture.home, 10};
    KeptPages::Page kept;
    pages.look_at_directory();
    REQUIRE(pages.find(1, kept));
    CHECK(kept.file);
    CHECK(pages.is_as_found(kept));

    SECTION("what is written is read") {
        fixture.page->tail.store(7);
        CHECK_FALSE(pages.is_as_found(kept));
        CHECK(pages.find(1, kept)->tail == 7);
        CHECK(pages.is_as_found(kept));
    }
    SECTION("what is published is read") {
        ring::Lifecycle life;
        life.run = 3;
        fixture.page.publish(life);
        CHECK_FALSE(pages.is_as_found(kept));
        CHECK(pages.find(1, kept)->lifecycle.run == 3);
        CHECK(pages.is_as_found(kept));
    }
    SECTION("a page that takes its place is read") {
        fixture.page = fixture.new_page(100);
        pages.look_at_directory();
        CHECK_FALSE(pages.is_as_found(kept));
        CHECK(pages.find(1, kept)->tail == 100);
    }
    SECTION("a page that is removed is missing") {
        std::filesystem::remove(fixture.home.state_page(1));
        pages.look_at_directory();
        CHECK_FALSE(pages.find(1, kept));
        CHECK_FALSE(kept.file);
    }
    SECTION("a page that is cut short is damage") {
        REQUIRE(::truncate(fixture.home.state_page(1).c_str(), 1000) == 0);
        CHECK_THROWS_WITH(pages.is_as_found(kept), Catch::Matchers::Contains("1000 bytes long"));
        CHECK_THROWS_WITH(pages.find(1, kept), Catch::Matchers::Contains("1000 bytes long"));
    }
}

TEST_CASE("a page is not kept where the directory has just changed, or too many are", "[hub][pages]") {
    Fixture fixture;
    KeptPages::Page page;
    KeptPages fresh{fixture.home, 10};
    const timespec soon[2] = {{::time(nullptr) + 3600, 0}, {::time(nullptr) + 3600, 0}};
    REQUIRE(::utimensat(AT_FDCWD, fixture.home.run().c_str(), soon, 0) == 0);
    fresh.look_at_directory();
    CHECK(fresh.find(1, page));
    CHECK_FALSE(page.file);

    fixture.settle();
    KeptPages none{fixture.home, 0};
    none.look_at_directory();
    CHECK(none.find(1, page));
    CHECK_FALSE(page.file);

    KeptPages one{fixture.home, 1};
    one.look_at_directory();
    KeptPages::Page other;
    CHECK(one.find(1, page));
    CHECK(one.find(1, other));
    CHECK(page.file);
    CHECK_FALSE(other.file);
    one.let_go(page);
    CHECK(one.find(1, other));
    CHECK(other.file);
}
