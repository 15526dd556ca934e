#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/rundir/event_log.h"
#include "tests/support/installation.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;

namespace {

std::vector<json> events_in(const std::string& lines) {
    std::vector<json> events;
    std::istringstream stream{lines};
    for (std::string line; std::getline(stream, line);) events.push_back(json::parse(line));
    return events;
}

/// All that are known.
std::vector<json> all_events(Installation& pp) {
    const auto ran = pp.pp({"events", "--since", "0", "--json"});
    REQUIRE(ran.code == 0);
    return events_in(ran.out);
}

std::set<std::string> kinds_of(const std::vector<json>& events, const json& process) {
    std::set<std::string> kinds;
    for (const auto& event : events) {
        if (event["process"] == process) kinds.insert(event["kind"].get<std::string>());
    }
    return kinds;
}

/// `process:number of the shim`, each as often as it came.
std::map<std::string, int> told_by_shims(const std::vector<json>& events) {
    std::map<std::string, int> told;
    for (const auto& event : events) {
        if (event.contains("process_number"))
            ++told[event["process"].get<std::string>() + ":" + event["process_number"].dump()];
    }
    return told;
}

void check_ascending(const std::vector<json>& events) {
    for (std::size_t i = 1; i < events.size(); ++i) CHECK(events[i - 1]["number"] < events[i]["number"]);
}

std::unique_ptr<test::Running> follow(Installation& pp, std::vector<std::string> words = {}) {
    words.insert(words.begin(), {"events", "-f", "--json"});
    return pp.start_pp(words);
}

}  // namespace

TEST_CASE("what happened is told in order and in words, and can be narrowed", "[e2e][events]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "web", "sh", "-c", "exit 7"}).code == 7);
    REQUIRE(pp.pp({"run", "-d", "--name", "db", "sleep", "1000"}).code == 0);
    REQUIRE(pp.pp({"stop", "db"}).code == 0);
    const auto told = follow(pp);
    for (const char* name : {"web", "db"}) told->wait_for_output(R"("kind":"drained","name":")" + std::string{name});
    const auto events = all_events(pp);
    check_ascending(events);
    CHECK(kinds_of(events, "p1") == std::set<std::string>{"started", "exited", "tree_gone", "drained"});
    CHECK(kinds_of(events, "p2").contains("stop_requested"));
    CHECK(kinds_of(events, nullptr) == std::set<std::string>{"hub_started"});
    const auto text = pp.pp({"events", "--since", "0"}).out;
    CHECK_THAT(text, Contains("web#1") && Contains("exited with code 7 (failed)") && Contains("db#1") &&
                         Contains("was asked to stop, with SIGTERM") && Contains("hub ") && Contains("(stopped)"));

    for (const auto& event : events_in(pp.pp({"events", "web", "--json"}).out)) CHECK(event["process"] == "p1");
    const auto exits = events_in(pp.pp({"events", "--kind", "exited", "--json"}).out);
    REQUIRE(exits.size() == 2);
    CHECK(exits[0]["exit_code"] == 7);
    CHECK(exits[0]["outcome"] == "failed");
    CHECK(exits[1]["outcome"] == "stopped");
    CHECK(events_in(pp.pp({"events", "-n", "1", "--json"}).out).back() == all_events(pp).back());
    const auto number = exits[0]["number"].dump();
    CHECK(events_in(pp.pp({"events", "--since", number, "--json"}).out).front()["number"] > exits[0]["number"]);
    CHECK(events_in(pp.pp({"events", "--since", "1h", "--json"}).out).size() == events.size());
    CHECK(pp.pp({"events", "--since", "2100-01-01", "--json"}).out.empty());
    CHECK(events_in(pp.pp({"events", "--project", pp.work(), "--json", "-n", "1000"}).out).size() == events.size() - 1);
    CHECK(pp.pp({"events", "--project", "/usr", "--json"}).out.empty());
}

TEST_CASE("what cannot be asked is refused in words", "[e2e][events]") {
    Installation pp;
    CHECK(pp.pp({"events", "nobody"}).code == 3);
    CHECK(pp.pp({"events", "--since", "noon"}).code == 2);
    const auto kind = pp.pp({"events", "--kind", "exitd"});
    CHECK(kind.code == 2);
    CHECK_THAT(kind.err, Contains("did you mean 'exited'"));
    const auto future = pp.pp({"events", "--since", "999999"});
    CHECK(future.code == 1);
    CHECK_THAT(future.err, Contains("there is no event 999999 yet"));
}

TEST_CASE("a follower hears of each event as it happens, and of a process that is cleared last", "[e2e][events]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto all = follow(pp, {"-n", "0"});
    const auto of_cat = follow(pp, {"cat"});
    of_cat->wait_for_output("started");
    REQUIRE(pp.pp({"send", "cat", "x", "--eof"}).code == 0);
    of_cat->wait_for_output("input_closed");
    of_cat->wait_for_output("\"kind\":\"exited\"");
    of_cat->wait_for_output("drained");
    REQUIRE(pp.pp({"clear", "cat"}).code == 0);
    const auto ran = of_cat->wait();  // nothing can come any more
    CHECK(ran.code == 0);
    const auto told = events_in(ran.out);
    CHECK(told.front()["kind"] == "started");
    CHECK(told.back()["kind"] == "cleared");
    CHECK(told.back()["name"] == "cat");
    check_ascending(told);
    all->wait_for_output("cleared");
    CHECK(all_events(pp).back()["kind"] == "cleared");
}

TEST_CASE("a follower misses nothing and hears nothing twice while hubs are killed and processes come and go",
          "[e2e][events][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    const auto follower = follow(pp, {"--since", "0"});
    follower->wait_for_output("hub_started");
    constexpr int kRounds = 8;
    for (int i = 0; i < kRounds; ++i) {
        const auto name = "n" + std::to_string(i);
        const auto running = pp.start_pp({"run", "-i", "--name", name, "sh", "-c", "echo up; read x; exit 3"});
        running->wait_for_output("up");
        if (i % 2 == 0) Installation::kill_hard(pp.hub_pid());
        REQUIRE(pp.pp({"run", "--name", "short" + std::to_string(i), "sh", "-c", "exit 4"}).code == 4);
        if (i % 3 == 0) Installation::kill_hard(pp.hub_pid());
        running->write("end\n");
        CHECK(running->wait().code == 3);
        if (i % 2 == 1) Installation::kill_hard(pp.hub_pid());
    }
    REQUIRE(pp.pp({"run", "--name", "last", "true"}).code == 0);
    REQUIRE(pp.pp({"clear", "last"}).code == 0);
    follower->wait_for_output("\"kind\":\"cleared\"");
    const auto told = events_in(follower->out());
    check_ascending(told);
    const auto by_shims = told_by_shims(told);
    for (const auto& [event, times] : by_shims) {
        INFO(event);
        CHECK(times == 1);
    }
    for (int process = 1; process <= 2 * kRounds; ++process) {
        for (const auto& event : rundir::read_events(pp.home().events(static_cast<std::uint64_t>(process)), 1)) {
            INFO("p" << process << ":" << event.number);
            CHECK(by_shims.contains("p" + std::to_string(process) + ":" + std::to_string(event.number)));
        }
    }
}

TEST_CASE("a follower over a history that is lost and made anew hears nothing twice and misses nothing",
          "[e2e][events][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "before", "sh", "-c", "exit 3"}).code == 3);
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto follower = follow(pp, {"-n", "1"});
    follower->wait_for_output("started");
    follower->signal(SIGSTOP);  // or it would start a hub before the history is lost
    Installation::kill_hard(pp.hub_pid());
    std::ofstream{pp.home().history(), std::ios::trunc} << std::string(8192, 'x');
    for (const char* part : {"-wal", "-shm"}) std::filesystem::remove(pp.home().history() + part);
    follower->signal(SIGCONT);
    REQUIRE(pp.pp({"send", "cat", "x", "--eof"}).code == 0);
    follower->wait_for_output("history_replaced");
    REQUIRE(pp.pp({"wait", "cat"}).code == 0);
    REQUIRE(pp.pp({"run", "--name", "after", "sh", "-c", "exit 5"}).code == 5);
    follower->wait_for_output("\"exit_code\":5");
    const auto told = events_in(follower->out());
    check_ascending(told);
    std::map<std::string, int> exits;
    for (const auto& event : told) {
        if (event["kind"] == "exited") ++exits[event["name"].get<std::string>()];
    }
    CHECK(exits == std::map<std::string, int>{{"cat", 1}, {"after", 1}});  // of `before` it heard before it began
    for (const auto& [event, times] : told_by_shims(told)) CHECK(times == 1);
}

TEST_CASE("a hub that was told to end is not brought back by a follower, which goes on with the next one",
          "[e2e][events]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "one", "true"}).code == 0);
    const auto follower = follow(pp);
    follower->wait_for_output("drained");
    const pid_t first = pp.hub_pid();
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    CHECK(pp.hub_pid() == 0);
    CHECK_FALSE(std::filesystem::exists(pp.home().hub_epoch()));
    REQUIRE(pp.pp({"run", "--name", "two", "sh", "-c", "exit 2"}).code == 2);
    follower->wait_for_output("\"exit_code\":2");
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    REQUIRE(pp.pp({"run", "--name", "three", "sh", "-c", "exit 3"}).code == 3);
    follower->wait_for_output("\"exit_code\":3");
    const auto told = events_in(follower->out());
    check_ascending(told);
    CHECK(kinds_of(told, nullptr) == std::set<std::string>{"hub_started", "hub_stopped"});
    for (const auto& [event, times] : told_by_shims(told)) CHECK(times == 1);
    CHECK(pp.hub_pid() != first);
}

TEST_CASE("a follower whose reader has gone ends by itself", "[e2e][events]") {
    Installation pp;
    const std::string script = pp.program("pp") + " events -f | head -n 1";
    const auto ran = test::Running({"/bin/sh", "-c", script}, pp.environment(), pp.work()).wait();
    CHECK(ran.code == 0);
    CHECK_THAT(ran.out, Contains("started, pid"));
}
