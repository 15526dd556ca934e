#include "hub/history/history.h"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "hub/event_loop.h"
#include "tests/support/history_lock.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;
using rundir::EventKind;

namespace {

rundir::Event an_event(std::uint64_t number, EventKind kind, std::uint32_t run = 1) {
    rundir::Event made;
    made.number = number;
    made.time_ns = static_cast<std::int64_t>(number) * 1'000'000'000;
    made.kind = kind;
    made.run = run;
    made.pid = 42;
    made.cursor = number * 10;
    if (kind == EventKind::exited) {
        made.exit_kind = ring::ExitKind::exited;
        made.exit_value = 7;
    }
    return made;
}

ShimEvent of(std::uint64_t process, std::uint64_t number, EventKind kind) {
    return {process, an_event(number, kind)};
}

Store open_store(const test::TempDir& directory) {
    return Store{directory.path() + "/history.db", directory.path() + "/next_event"};
}

/// A home with a history in a loop; runs until what is waited for has come, or fails after 20 s.
struct Fixture {
    test::TempDir directory;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", directory.path()}}, 0);
    EventLoop loop;
    std::unique_ptr<Log> log;
    std::map<std::uint64_t, std::uint64_t> committed;
    std::unique_ptr<History> history;

    Fixture() {
        home.prepare();
        log = std::make_unique<Log>(home.log("hub"));
        history = std::make_unique<History>(
            loop, home, *log,
            [this](std::uint64_t process, std::uint64_t number) { committed[process] = number; });
    }

    void run_until(const std::function<bool()>& done) {
        bool timed_out = false;
        EventLoop::Timer limit{loop, [&] { timed_out = true; }};
        limit.set(std::chrono::seconds{20});
        while (!done() && !timed_out) loop.turn();
        REQUIRE_FALSE(timed_out);
    }
    History::Opened open(std::vector<rundir::ProcessNumber> processes = {}) {
        std::optional<History::Opened> opened;
        history->open(std::move(processes), [&](History::Opened found) { opened = found; });
        run_until([&] { return opened.has_value(); });
        return *opened;
    }
    History::Told tell(std::uint64_t process) {
        std::optional<History::Told> told;
        history->tell(process, 10, 10, [&](History::Told found) { told = std::move(found); });
        run_until([&] { return told.has_value(); });
        return *told;
    }
    History::Found find(EventQuery query = {}) {
        std::optional<History::Found> answer;
        history->find_events(std::move(query), [&](History::Found found) { answer = std::move(found); });
        run_until([&] { return answer.has_value(); });
        return *answer;
    }
    /// Events as a shim writes them.
    void write_events(std::uint64_t process, const std::vector<rundir::Event>& events) {
        std::filesystem::create_directories(home.process(process));
        std::ofstream file{home.events(process), std::ios::binary};
        for (auto one : events) {
            one.checksum = ring::checksum(&one, offsetof(rundir::Event, checksum));
            file.seekp(static_cast<std::streamoff>(one.number * sizeof one));
            file.write(reinterpret_cast<const char*>(&one), sizeof one);
        }
    }
};

}  // namespace

TEST_CASE("an event is kept once, however often it is told", "[hub][history]") {
    const test::TempDir directory;
    Store store = open_store(directory);
    const Store::Events events{of(1, 1, EventKind::started), of(1, 2, EventKind::exited)};
    store.record(events);
    store.record(events);
    CHECK(store.events(1, 10).size() == 2);
    CHECK(store.last_event(1) == 2);
    const auto runs = store.runs(1, 10);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].exit_value == 7);
    CHECK(runs[0].pid == 42);
    CHECK(runs[0].begin_cursor == 10U);
    CHECK(runs[0].end_cursor == 20U);
}

TEST_CASE("missing event numbers are told as missing", "[hub][history]") {
    const test::TempDir directory;
    Store store = open_store(directory);
    store.record({of(1, 1, EventKind::started), of(1, 5, EventKind::exited)});
    const auto events = store.events(1, 10);
    REQUIRE(events.size() == 3);
    CHECK(events[1].kind == kMissingEvents);
    CHECK(events[1].number == 2);
    CHECK(events[1].cursor == 4);
}

TEST_CASE("a process that was cleared leaves its number behind", "[hub][history]") {
    const test::TempDir directory;
    Store store = open_store(directory);
    store.record({of(9, 1, EventKind::started)});
    store.forget(9, 1);
    CHECK(store.events(9, 10).empty());
    CHECK(store.highest_process() == 9);
}

TEST_CASE("events are acknowledged only when they are committed", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    CHECK(fixture.history->add(3, an_event(1, EventKind::started)));
    CHECK(fixture.history->add(3, an_event(2, EventKind::exited)));
    CHECK_FALSE(fixture.history->add(3, an_event(2, EventKind::exited)));
    CHECK(fixture.committed.empty());
    fixture.run_until([&] { return fixture.committed[3] == 2; });
    CHECK(fixture.tell(3).runs.size() == 1);
}

TEST_CASE("what happened while no hub was there is taken from the processes' files", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    CHECK(fixture.open({4}).highest_process == 4);
    CHECK(fixture.history->last_event(4) == 2);
    CHECK(fixture.tell(4).runs.at(0).exit_value == 7);
}

TEST_CASE("a locked history is tried again and loses nothing", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(fixture.home.history().c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
    fixture.history->add(1, an_event(1, EventKind::started));
    fixture.run_until([&] { return !fixture.history->problem().empty(); });
    CHECK(fixture.committed.empty());
    sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(other);
    fixture.run_until([&] { return fixture.committed[1] == 1; });
    CHECK(fixture.history->problem().empty());
}

TEST_CASE("a damaged history is moved aside, told, and filled anew", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    std::ofstream{fixture.home.history()} << std::string(8192, 'x');
    fixture.open({4});
    CHECK(fixture.history->replaced().find("history.db.damaged-") != std::string::npos);
    CHECK(fixture.tell(4).events.size() == 2);
    CHECK(fixture.history->problem().empty());
}

TEST_CASE("what was told before something was written is not told again afterwards", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    {
        const test::HistoryLock lock{fixture.home.history()};
        fixture.history->add(4, an_event(1, EventKind::started));
        fixture.history->add(4, an_event(2, EventKind::exited));
        fixture.run_until([&] { return !fixture.history->problem().empty(); });
        CHECK(fixture.tell(4).events.empty());
    }
    fixture.run_until([&] { return fixture.committed[4] == 2; });
    CHECK(fixture.tell(4).events.size() == 2);
}

TEST_CASE("a process that is forgotten while its events cannot be written does not come back", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    {
        const test::HistoryLock lock{fixture.home.history()};
        fixture.history->add(1, an_event(1, EventKind::started));
        fixture.history->add(2, an_event(1, EventKind::started));
        fixture.loop.turn();  // the batch is on its way
        fixture.history->forget(1);
        CHECK_FALSE(fixture.history->add(1, an_event(2, EventKind::exited)));
        fixture.run_until([&] { return !fixture.history->problem().empty(); });
    }
    fixture.run_until([&] { return fixture.committed[2] == 1; });
    CHECK(fixture.tell(1).events.empty());
    CHECK(fixture.tell(1).runs.empty());
    CHECK(fixture.tell(2).events.size() == 1);
    CHECK_FALSE(fixture.committed.contains(1));
    CHECK(fixture.history->last_event(1) == 0);
}

TEST_CASE("what cannot be written keeps its order, is written once, and is not lost", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    fixture.history->add(9, an_event(1, EventKind::started));
    fixture.run_until([&] { return fixture.committed[9] == 1; });
    {
        const test::HistoryLock lock{fixture.home.history()};
        fixture.history->add(1, an_event(1, EventKind::started));
        fixture.history->forget(9);
        rundir::Launch launch;
        launch.process = 12;
        fixture.history->note_process(launch);
        fixture.loop.turn();
        fixture.history->add(1, an_event(2, EventKind::exited));
        fixture.run_until([&] { return !fixture.history->problem().empty(); });
        fixture.history->add(1, an_event(3, EventKind::started, 2));
    }
    fixture.run_until([&] { return fixture.committed[1] == 3; });
    const auto told = fixture.tell(1);
    REQUIRE(told.events.size() == 3);
    for (std::uint64_t i = 0; i < 3; ++i) CHECK(told.events[i].number == 3 - i);
    CHECK(told.runs.size() == 2);
    CHECK(fixture.tell(9).events.empty());
    CHECK(fixture.open().highest_process == 12);
}

TEST_CASE("a history that is filled anew does not bring back what was forgotten", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started)});
    fixture.write_events(5, {an_event(1, EventKind::started)});
    fixture.open({4, 5});
    fixture.history->forget(4);  // its files are still being removed
    fixture.run_until([&] { return fixture.tell(4).events.empty(); });
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(fixture.home.history().c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "DROP TABLE events", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
    fixture.history->add(5, an_event(2, EventKind::exited));
    fixture.run_until([&] { return fixture.committed[5] == 2; });
    CHECK_FALSE(fixture.history->replaced().empty());
    CHECK(fixture.tell(4).events.empty());
    CHECK(fixture.tell(5).events.size() == 2);
}

TEST_CASE("what happened while no hub was there is taken in later, where the history is locked at first", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    {
        const test::HistoryLock lock{fixture.home.history()};
        fixture.open({4});
        CHECK_FALSE(fixture.history->problem().empty());
    }
    fixture.run_until([&] { return fixture.history->last_event(4) == 2; });
    CHECK(fixture.tell(4).events.size() == 2);
}

TEST_CASE("whoever waits is told when there are more events, and not after that", "[hub][history][events]") {
    Fixture fixture;
    fixture.open();
    int told = 0;
    std::optional<Subscription> news = fixture.history->on_news([&] { ++told; });
    fixture.history->add(1, an_event(1, EventKind::started));
    fixture.run_until([&] { return told == 1; });
    CHECK(fixture.find().page.events.size() == 1);
    news.reset();
    fixture.history->note(HubEventKind::keeper_lost);
    fixture.run_until([&] { return fixture.find().page.events.size() == 2; });
    CHECK(told == 1);
}

TEST_CASE("what processes' files tell is numbered as it happened, of each process in its own order", "[hub][history][events]") {
    Fixture fixture;
    auto late = an_event(1, EventKind::started);
    late.time_ns = 5'000'000'000;
    auto clock_back = an_event(2, EventKind::exited);
    clock_back.time_ns = 1'000'000'000;
    fixture.write_events(4, {late, clock_back});
    fixture.write_events(5, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    fixture.open({4, 5});
    std::vector<std::pair<std::uint64_t, std::uint64_t>> order;
    for (const auto& event : fixture.find().page.events)
        order.emplace_back(process_of(event.event), std::get<ShimEvent>(event.event).event.number);
    CHECK(order == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{5, 1}, {5, 2}, {4, 1}, {4, 2}});
}

TEST_CASE("a history that is replaced tells its events again with higher numbers, and says so", "[hub][history][events]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    fixture.open({4});
    const auto before = fixture.find().page;
    REQUIRE(before.events.size() == 2);
    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(fixture.home.history().c_str(), &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "DROP TABLE runs", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(other);
    fixture.history->add(4, an_event(3, EventKind::started));
    fixture.run_until([&] { return fixture.committed[4] == 3; });
    EventQuery later;
    later.since = before.number;
    fixture.run_until([&] { return fixture.find(later).page.events.size() == 4; });
    const auto after = fixture.find(later).page.events;
    CHECK(std::get<ShimEvent>(after[0].event).event.number == 1);
    CHECK(std::get<ShimEvent>(after[2].event).event.number == 3);
    CHECK(std::get<HubEvent>(after[3].event).kind == HubEventKind::history_replaced);
}

TEST_CASE("a history that was removed while it is open is made anew, filled, and that is told", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    fixture.open({4});
    SECTION("removed") { std::filesystem::remove(fixture.home.history()); }
    SECTION("with another in its place") {
        std::filesystem::rename(fixture.home.history(), fixture.home.history() + ".old");
        Store{fixture.home.history(), fixture.home.next_event()}.record({ShimEvent{9, an_event(1, EventKind::started)}});
    }
    fixture.history->add(5, an_event(1, EventKind::started));
    fixture.run_until([&] { return fixture.committed[5] == 1; });
    CHECK(fixture.history->replaced().find("removed") != std::string::npos);
    CHECK(fixture.tell(4).runs.size() == 1);
    CHECK(Store{fixture.home.history(), fixture.home.next_event()}.last_event(5) == 1);
}

TEST_CASE("what is no file in the history's place goes aside", "[hub][history]") {
    Fixture fixture;
    std::filesystem::create_directories(fixture.home.history() + "/inner");
    fixture.write_events(4, {an_event(1, EventKind::started)});
    fixture.open({4});
    CHECK(fixture.history->problem().empty());
    CHECK(fixture.history->replaced().find("history.db.damaged-") != std::string::npos);
    CHECK(fixture.tell(4).events.size() == 1);
}

TEST_CASE("a history that could not be filled anew at once is, as soon as it can be", "[hub][history]") {
    Fixture fixture;
    fixture.open();
    {
        const test::HistoryLock lock{fixture.home.history()};
        fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
        sqlite3* other = nullptr;
        REQUIRE(sqlite3_open((fixture.home.history() + ".empty").c_str(), &other) == SQLITE_OK);
        REQUIRE(sqlite3_exec(other, "CREATE TABLE x(y)", nullptr, nullptr, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
        std::filesystem::rename(fixture.home.history() + ".empty", fixture.home.history());
        fixture.history->add(5, an_event(1, EventKind::started));
        fixture.run_until([&] { return !fixture.history->problem().empty(); });
        sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
        sqlite3_close(other);
    }
    fixture.run_until([&] { return fixture.committed[5] == 1; });
    CHECK(fixture.tell(4).events.size() == 2);
    CHECK(fixture.history->problem().empty());
}

TEST_CASE("a process whose files outlived its clear, and that is cleared again, leaves nothing and is told once", "[hub][history]") {
    const test::TempDir directory;
    Store store = open_store(directory);
    for (int i = 0; i < 2; ++i) {
        store.record({of(4, 1, EventKind::started), of(4, 2, EventKind::exited)});
        store.forget(4, 1);
        CHECK(store.last_events().empty());
        CHECK(store.runs(4, 10).empty());
    }
    const auto told = store.find_events({}).events;
    REQUIRE(told.size() == 1);
    CHECK(std::get<HubEvent>(told[0].event).kind == HubEventKind::cleared);
}

TEST_CASE("what a clear had no time to tell the history is found by the next hub", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    fixture.open({4});
    fixture.run_until([&] { return fixture.tell(4).events.size() == 2; });
    std::filesystem::remove_all(fixture.home.process(4));
    History next{fixture.loop, fixture.home, *fixture.log, [](std::uint64_t, std::uint64_t) {}};
    bool is_open = false;
    next.open({}, [&](History::Opened) { is_open = true; });
    fixture.run_until([&] { return is_open; });
    CHECK(next.last_event(4) == 0);
    CHECK(Store{fixture.home.history(), fixture.home.next_event()}.events(4, 10).empty());
}

TEST_CASE("a history that is locked can be read", "[hub][history]") {
    Fixture fixture;
    fixture.write_events(4, {an_event(1, EventKind::started), an_event(2, EventKind::exited)});
    fixture.open({4});
    const test::HistoryLock lock{fixture.home.history()};
    Store another{fixture.home.history(), fixture.home.next_event()};
    CHECK(another.events(4, 10).size() == 2);
}
