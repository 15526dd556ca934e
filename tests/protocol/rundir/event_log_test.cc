#include "protocol/rundir/event_log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>

#include "tests/support/file_size_limit.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using rundir::Event;
using rundir::EventKind;
using rundir::EventLog;
using rundir::kEventSlots;

namespace {

struct Log {
    TempDir dir;
    std::string path = dir / "events";
    ring::StatePage page = make_page(dir / "p1.state");
    EventLog log{path};

    static ring::StatePage make_page(const std::string& path) {
        const std::uint8_t uuid[16] = {1};
        return ring::StatePage::create(path, 1, uuid, ring::Geometry::for_capacity(ring::kMinCapacity), 0);
    }
    void append(std::uint32_t run) {
        Event event;
        event.kind = EventKind::started;
        event.run = run;
        log.append(page, event);
    }
};

}  // namespace

TEST_CASE("events are numbered from 1 and found again", "[rundir][events]") {
    Log log;
    CHECK(rundir::read_events(log.path, 1).empty());
    CHECK(log.log.next_number_on_disk() == 1);
    for (std::uint32_t i = 1; i <= 10; ++i) log.append(i);
    CHECK(log.page->next_event.load() == 11);
    CHECK(log.log.next_number_on_disk() == 11);
    const auto events = rundir::read_events(log.path, 4);
    REQUIRE(events.size() == 7);
    CHECK(events.front().number == 4);
    CHECK(events.back().run == 10);
    CHECK(log.log.find(3)->run == 3);
    CHECK_FALSE(log.log.find(11));
    CHECK_FALSE(log.log.find(0));
}

TEST_CASE("a missing log has no events", "[rundir][events]") {
    TempDir dir;
    CHECK(rundir::read_events(dir / "events", 1).empty());
}

TEST_CASE("the log wraps, stays bounded, and its numbers tell what is missing", "[rundir][events]") {
    Log log;
    const std::uint32_t total = 2 * kEventSlots + 100;
    for (std::uint32_t i = 1; i <= total; ++i) log.append(i);
    const auto events = rundir::read_events(log.path, 1);
    REQUIRE(events.size() == kEventSlots);
    CHECK(events.front().number == total - kEventSlots + 1);
    CHECK(events.back().number == total);
    for (std::size_t i = 1; i < events.size(); ++i) REQUIRE(events[i].number == events[i - 1].number + 1);
    CHECK(std::filesystem::file_size(log.path) == kEventSlots * sizeof(Event));
    CHECK_FALSE(log.log.find(100));
    CHECK(log.log.find(total)->run == total);
    CHECK(log.log.next_number_on_disk() == total + 1);
}

TEST_CASE("a torn event is none, and the others are read", "[rundir][events]") {
    Log log;
    for (std::uint32_t i = 1; i <= 5; ++i) log.append(i);
    const os::UniqueFd file{::open(log.path.c_str(), O_RDWR | O_CLOEXEC)};
    REQUIRE(::pwrite(file.get(), "torn", 4, 3 * sizeof(Event) + 20) == 4);
    CHECK_FALSE(log.log.find(3));
    const auto events = rundir::read_events(log.path, 1);
    REQUIRE(events.size() == 4);
    CHECK(events[2].number == 4);
    REQUIRE(::ftruncate(file.get(), 5 * sizeof(Event) + 80) == 0);  // cut in the middle of the last
    CHECK(rundir::read_events(log.path, 1).size() == 3);
    CHECK(log.log.next_number_on_disk() == 5);
}

TEST_CASE("after a reboot numbering goes on behind what is on disk", "[rundir][events]") {
    Log log;
    for (std::uint32_t i = 1; i <= 7; ++i) log.append(i);
    log.page = Log::make_page(log.dir / "p1.state");
    EventLog reopened{log.path};
    log.page->next_event = reopened.next_number_on_disk();
    log.append(8);
    CHECK(rundir::read_events(log.path, 1).size() == 8);
    CHECK(rundir::read_events(log.path, 1).back().number == 8);
}

TEST_CASE("an overlong text is cut and ended", "[rundir][events]") {
    Log log;
    Event event;
    event.kind = EventKind::start_failed;
    std::memset(event.text, 'x', sizeof event.text);
    log.log.append(log.page, event);
    CHECK(std::strlen(log.log.find(1)->text) == sizeof event.text - 1);
}

TEST_CASE("what the disk refuses is kept, told, and stored when it can be", "[rundir][events]") {
    Log log;
    for (std::uint32_t i = 1; i <= 30; ++i) log.append(i);
    {
        const FileSizeLimit limit{30 * sizeof(Event)};
        log.append(31);
        log.append(32);
        CHECK_FALSE(log.log.store_refused());
        CHECK(log.log.find(32)->run == 32);
        CHECK(rundir::read_events(log.path, 1).size() == 30);
    }
    CHECK(log.log.has_refused());
    CHECK(log.log.store_refused());
    const auto events = rundir::read_events(log.path, 1);
    REQUIRE(events.size() == 32);
    CHECK(events.back().run == 32);
}

TEST_CASE("of events that a disk refuses for ever, as many are kept as the file has slots", "[rundir][events]") {
    Log log;
    const FileSizeLimit limit{0};
    for (std::uint32_t i = 1; i <= kEventSlots + 10; ++i) log.append(i);
    CHECK_FALSE(log.log.find(10));
    CHECK(log.log.find(11)->run == 11);
    CHECK(log.log.find(kEventSlots + 10)->run == kEventSlots + 10);
}
