#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "hub/history/event_names.h"
#include "hub/history/reserved_numbers.h"
#include "hub/history/store.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;
using rundir::EventKind;

namespace {

ShimEvent told(std::uint64_t process, std::uint64_t number, EventKind kind = EventKind::started) {
    rundir::Event event;
    event.number = number;
    event.kind = kind;
    event.run = 1;
    event.time_ns = static_cast<std::int64_t>(1000 * number);
    return {process, event};
}

struct Files {
    test::TempDir directory;
    std::string database = directory.path() + "/history.db";
    std::string reserved = directory.path() + "/next_event";

    [[nodiscard]] std::unique_ptr<Store> open() const { return std::make_unique<Store>(database, reserved); }
    void lose_database() const { move_aside(database, 1'000'000'000); }
};

std::vector<std::uint64_t> numbers(const EventPage& page) {
    std::vector<std::uint64_t> found;
    for (const auto& event : page.events) found.push_back(event.number);
    return found;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("events of all processes are numbered in the order in which they became known", "[hub][events]") {
    const Files files;
    const auto store = files.open();
    store->record({told(7, 1), told(2, 1), HubEvent{HubEventKind::keeper_lost, 0, 5, {}}, told(7, 2), told(2, 1)});
    const auto page = store->find_events({});
    REQUIRE(numbers(page) == Numbers{1, 2, 3, 4});
    CHECK(process_of(page.events[0].event) == 7);
    CHECK(process_of(page.events[1].event) == 2);
    CHECK(std::get<HubEvent>(page.events[2].event).kind == HubEventKind::keeper_lost);
    CHECK(std::get<ShimEvent>(page.events[3].event).event.number == 2);
    CHECK(page.number == 4);
    CHECK_FALSE(page.more);
}

TEST_CASE("a number is not given again when the events that had it were cleared", "[hub][events]") {
    const Files files;
    auto store = files.open();
    store->record({told(1, 1), told(2, 1), told(2, 2)});
    store->forget(2, 77);
    store.reset();
    store = files.open();
    store->record({told(3, 1)});
    const auto page = store->find_events({});
    REQUIRE(numbers(page) == Numbers{1, 4, 5});
    const auto& cleared = std::get<HubEvent>(page.events[1].event);
    CHECK(cleared.kind == HubEventKind::cleared);
    CHECK(cleared.process == 2);
    CHECK(cleared.time_ns == 77);
}

TEST_CASE("to forget a process twice tells it once, with its name", "[hub][events]") {
    const Files files;
    const auto store = files.open();
    rundir::Launch launch;
    launch.process = 5;
    launch.name = "web";
    store->note_process(launch);
    store->forget(5, 1);
    store->forget(5, 2);
    const auto page = store->find_events({});
    REQUIRE(page.events.size() == 1);
    CHECK(std::get<HubEvent>(page.events[0].event).text == "web");
}

TEST_CASE("a database that was lost is followed by one with higher numbers", "[hub][events]") {
    const Files files;
    auto store = files.open();
    store->record({told(1, 1), told(1, 2)});
    const auto before = store->newest_number();
    store.reset();
    files.lose_database();
    store = files.open();
    store->record({told(1, 1), told(1, 2)});
    for (const auto number : numbers(store->find_events({}))) CHECK(number > before);
}

TEST_CASE("the same database goes on without a gap", "[hub][events]") {
    const Files files;
    files.open()->record({told(1, 1)});
    files.open()->record({told(1, 2)});
    CHECK(numbers(files.open()->find_events({})) == Numbers{1, 2});
}

TEST_CASE("a database that an earlier hub wrote to is numbered after its last event", "[hub][events]") {
    const Files files;
    files.open()->record({told(1, 1)});
    sqlite3* earlier = nullptr;
    REQUIRE(sqlite3_open(files.database.c_str(), &earlier) == SQLITE_OK);
    REQUIRE(sqlite3_exec(earlier, "INSERT INTO events(process, number, time, kind) VALUES(1, 2, 5, 1)", nullptr, nullptr,
                         nullptr) == SQLITE_OK);
    sqlite3_close(earlier);
    files.open()->record({told(1, 3)});
    CHECK(numbers(files.open()->find_events({})) == Numbers{1, 2, 3});
}

TEST_CASE("after another boot no number below the bound is given: the last commits may be lost", "[hub][events]") {
    const test::TempDir directory;
    const auto path = directory.path() + "/next_event";
    ReservedNumbers{path, 42, "boot-a"}.cover(10);
    CHECK(ReservedNumbers(path, 42, "boot-a").first_free(7) == 7);
    const auto bound = ReservedNumbers(path, 42, "boot-b").first_free(7);
    CHECK(bound >= 10);
    CHECK(ReservedNumbers(path, 43, "boot-a").first_free(1) == bound);
    CHECK(ReservedNumbers(path, 42, "boot-b").first_free(bound + 5) == bound + 5);
}

TEST_CASE("the bound is raised ahead of need, and never falls", "[hub][events]") {
    const test::TempDir directory;
    const auto path = directory.path() + "/next_event";
    ReservedNumbers numbers{path, 1, "boot"};
    numbers.cover(2);
    const auto written = std::filesystem::last_write_time(path);
    numbers.cover(3);
    CHECK(std::filesystem::last_write_time(path) == written);
    const auto bound = ReservedNumbers(path, 2, "boot").first_free(1);
    ReservedNumbers{path, 2, "boot"}.cover(1);
    CHECK(ReservedNumbers(path, 3, "boot").first_free(1) >= bound);
}

TEST_CASE("a bound that cannot be read is none", "[hub][events]") {
    const test::TempDir directory;
    const auto path = directory.path() + "/next_event";
    std::ofstream{path} << "nonsense\n";
    ReservedNumbers numbers{path, 1, "boot"};
    CHECK(numbers.first_free(9) == 9);
    numbers.cover(9);
    CHECK(ReservedNumbers(path, 2, "boot").first_free(1) >= 9);
}

TEST_CASE("events are found by number, time, process, kind, and in pages", "[hub][events]") {
    const Files files;
    const auto store = files.open();
    store->record({told(1, 1), told(2, 1), told(1, 2, EventKind::exited), told(1, 3), told(2, 2, EventKind::exited)});

    EventQuery after;
    after.since = 3;
    CHECK(numbers(store->find_events(after)) == Numbers{4, 5});

    EventQuery late;
    late.since_time_ns = 2000;
    CHECK(numbers(store->find_events(late)) == Numbers{3, 4, 5});

    EventQuery of_one;
    of_one.process = 2;
    CHECK(numbers(store->find_events(of_one)) == Numbers{2, 5});
    CHECK(store->find_events(of_one).number == 5);

    EventQuery exits;
    exits.wanted = [](const AnyEvent& event) { return event_name(event) == "exited"; };
    CHECK(numbers(store->find_events(exits)) == Numbers{3, 5});

    EventQuery newest;
    newest.last = 2;
    CHECK(numbers(store->find_events(newest)) == Numbers{4, 5});
    newest.last = 0;
    CHECK(numbers(store->find_events(newest)).empty());
    CHECK(store->find_events(newest).number == 5);
    newest.last = 1;
    newest.wanted = exits.wanted;
    newest.process = 1;
    CHECK(numbers(store->find_events(newest)) == Numbers{3});

    EventQuery page;
    page.limit = 2;
    Numbers all;
    for (bool more = true; more;) {
        const auto found = store->find_events(page);
        for (const auto number : numbers(found)) all.push_back(number);
        page.since = found.number;
        more = found.more;
    }
    CHECK(all == Numbers{1, 2, 3, 4, 5});
}

TEST_CASE("what was seen of each process is told as of the page, not of later", "[hub][events]") {
    const Files files;
    const auto store = files.open();
    store->record({told(1, 1), told(1, 2), told(2, 1), told(1, 3)});
    EventQuery query;
    query.limit = 3;
    query.with_seen = true;
    const auto page = store->find_events(query);
    CHECK(page.more);
    CHECK(page.seen == std::map<std::uint64_t, std::uint64_t>{{1, 2}, {2, 1}});
}

TEST_CASE("every kind of event has a name of its own, and words", "[hub][events]") {
    const auto names = event_names();
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
    for (std::uint32_t kind = 0; kind <= 10; ++kind) {
        rundir::Event event;
        event.kind = static_cast<EventKind>(kind);
        INFO(kind);
        CHECK(event_name(event.kind) != "unknown");
        CHECK(event_words(event).find("does not know") == std::string::npos);
    }
    rundir::Event later;
    later.kind = static_cast<EventKind>(4711);
    CHECK(event_name(later.kind) == "unknown");
    CHECK_FALSE(event_words(later).empty());
}

TEST_CASE("an exit is told with its outcome", "[hub][events]") {
    rundir::Event event;
    event.kind = EventKind::exited;
    event.exit_kind = ring::ExitKind::exited;
    event.exit_value = 7;
    CHECK(event_words(event) == "exited with code 7 (failed)");
    event.exit_kind = ring::ExitKind::signaled;
    event.exit_value = 9;
    CHECK(event_words(event) == "was ended by SIGKILL (killed)");
    event.stop_requested = 1;
    CHECK(event_words(event) == "was ended by SIGKILL (stopped)");
    event.exit_kind = ring::ExitKind::unknown;
    CHECK(event_words(event) == "has ended; how is not known");
}
