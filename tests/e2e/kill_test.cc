#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/support/installation.h"

using namespace pp;
using nlohmann::json;
using test::Installation;

TEST_CASE("the hub is killed in the middle of a burst that a client follows: not a byte is missing", "[e2e][kill]") {
    Installation pp;
    pp.pp({"hub", "start"});
    const auto running = pp.start_pp({"run", "sh", "-c", "read go < /dev/null; seq 1 300000; exit 5"});
    running->wait_for_output("1000\n");
    Installation::kill_hard(pp.hub_pid());
    const auto ran = running->wait();
    CHECK(ran.code == 5);
    CHECK(ran.out.size() == 1988895);
    CHECK(ran.out.substr(ran.out.size() - 7) == "300000\n");
    const auto status = pp.pp_json({"status", "p1"});  // a new hub, or none: the truth is the same
    CHECK(status["process"]["exit_code"] == 5);
}

TEST_CASE("twenty processes outlive their hub with the same pids, and their exits are known to the next", "[e2e][kill]") {
    Installation pp;
    for (int i = 1; i <= 20; ++i)
        REQUIRE(pp.pp({"run", "-d", "-i", "--name", "n" + std::to_string(i), "sh", "-c",
                       "echo up " + std::to_string(i) + "; read x; echo down; exit " + std::to_string(i)})
                    .code == 0);
    const auto before = pp.pp_json({"ls"})["processes"];
    REQUIRE(before.size() == 20);
    const auto waiting = pp.start_pp({"wait", "n1"});
    Installation::kill_hard(pp.hub_pid());
    // these end while no hub is there
    for (int i = 1; i <= 3; ++i) {
        const auto found = std::find_if(before.begin(), before.end(), [&](const json& process) {
            return process["name"] == "n" + std::to_string(i);
        });
        ::kill(found->at("pid").get<int>(), SIGUSR2);
    }
    CHECK(waiting->wait().code == 128 + SIGUSR2);
    CHECK(pp.hub_pid() == 0);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    for (const auto& process : before) {
        const auto after = pp.pp_json({"status", process["id"].get<std::string>()});
        const int number = std::stoi(process["name"].get<std::string>().substr(1));
        if (number <= 3) {
            CHECK(after["process"]["signal"] == "SIGUSR2");
            CHECK(after["process"]["outcome"] == "killed");
        } else {
            CHECK(after["process"]["pid"] == process["pid"]);
            CHECK(after["process"]["state"] == "running");
        }
        REQUIRE(after["runs"].size() == 1);
    }
    CHECK(pp.pp({"send", "n20", "bye", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "n20"}).code == 20);
    CHECK(pp.pp({"logs", "n20"}).out == "up 20\ndown\n");
}

TEST_CASE("a killed shim is replaced: same child, same output, stdin still open, stop still works", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    const auto follow = pp.start_pp({"logs", "-f", "--raw", "cat"});
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    follow->wait_for_output("one\n");
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
    follow->wait_for_output("two\n");
    CHECK(pp.pp_json({"status", "cat"})["process"]["pid"] == pid);
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(follow->wait().out == "one\ntwo\n");
    CHECK(pp.pp_json({"status", "cat"})["process"]["outcome"] == "stopped");
}

TEST_CASE("a killed keeper costs nothing, and a shim killed after it is replaced too", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    Installation::kill_hard(pp.keeper_pid());
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "two", "--eof", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "one\ntwo\n");
    CHECK(pp.pp_json({"status", "cat"})["runs"][0]["pid"] == pid);
}
