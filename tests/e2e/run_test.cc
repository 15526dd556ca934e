#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/support/installation.h"
#include "tests/support/lines.h"
#include "tests/support/mcp_client.h"

using namespace pp;
using nlohmann::json;
using test::Installation;
using test::Running;

TEST_CASE("pp run shows what the command says and ends with its code", "[e2e][run]") {
    Installation pp;
    const auto ran = pp.pp({"run", "sh", "-c", "echo 'a  b'; echo err >&2; exit 7"});
    CHECK(ran.code == 7);
    CHECK(ran.out == "a  b\n");
    CHECK_THAT(ran.err, Catch::Matchers::Contains("err\n"));
    CHECK(pp.pp({"true"}).code == 0);
    CHECK(pp.pp({"run", "sh", "-c", "kill -TERM $$"}).code == 128 + SIGTERM);
}

TEST_CASE("what is quoted stays quoted", "[e2e][run]") {
    Installation pp;
    CHECK(pp.pp({"run", "printf", "[%s]", "a b", "", "c'd", "--flag", "-x"}).out == "[a b][][c'd][--flag][-x]");
    CHECK(pp.pp({"run", "echo one | tr a-z A-Z"}).out == "ONE\n");
}

TEST_CASE("arguments are bytes: what is not UTF-8 reaches the program as it is, and is shown replaced", "[e2e][run][bytes]") {
    Installation pp;
    const std::string odd = "caf\xe9 \xff\xfe";
    CHECK(pp.pp({"run", "--name", "odd", "printf", "%s", odd}).out == odd);
    CHECK(pp.pp({"run", "printf '%s' '" + odd + "' | cat"}).out == odd);
    CHECK(pp.pp({"run", "--name", "odd", "printf", "%s", odd}).out == odd);

    const auto status = pp.pp_json({"status", "odd"});  // which is JSON
    CHECK(status["process"]["run"] == 2);
    CHECK(status["argv"][2] == "caf\uFFFD \uFFFD\uFFFD");
    CHECK_THAT(pp.pp({"ls", "--all"}).out, Catch::Matchers::Contains("caf\uFFFD \uFFFD\uFFFD"));
    const auto seen = test::McpClient{pp.mcp_port()}.call("get_status", {{"process", "odd"}});
    CHECK(seen["argv"] == status["argv"]);

    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    CHECK(pp.pp({"restart", "odd"}).code == 0);
    CHECK(pp.pp({"wait", "odd"}).code == 0);
    CHECK(pp.pp({"logs", "odd"}).out == odd);
    const auto unknown = pp.pp({"stop", odd});
    CHECK(unknown.code == 3);
    CHECK_THAT(unknown.err, Catch::Matchers::Contains("caf\uFFFD"));
    CHECK(pp.pp({"run", "--label", odd, "true"}).code == 2);

    const std::string directory = pp.work() + "/" + odd;
    REQUIRE(::mkdir(directory.c_str(), 0700) == 0);
    Running inside{{pp.program("pp"), "run", "pwd"}, pp.environment(), directory};
    CHECK(inside.wait().out == directory + "\n");
}

TEST_CASE("a burst is shown to its last byte, whoever is slow", "[e2e][run]") {
    Installation pp;
    const auto ran = pp.pp({"run", "seq", "1", "200000"});
    CHECK(ran.code == 0);
    CHECK(ran.out == test::lines_to(200000));
}

TEST_CASE("a partial line and the first byte are shown at once", "[e2e][run]") {
    Installation pp;
    const auto running = pp.start_pp({"run", "-i", "sh", "-c", "printf 'name? '; read name; echo hello $name"});
    running->wait_for_output("name? ");
    running->write("pp\n");
    running->wait_for_output("hello pp\n");
    CHECK(running->wait().code == 0);
}

TEST_CASE("pp run follows a restart that somebody else asked for", "[e2e][run][restart]") {
    Installation pp;
    const auto running = pp.start_pp({"run", "--name", "web", "sh", "-c", "echo pid $$; exec sleep 1000"});
    running->wait_for_output("pid ");
    const auto before = pp.pp_json({"status", "web"})["process"]["pid"];
    CHECK(pp.pp({"restart", "web"}).code == 0);
    running->wait_for_error("restarted (run 2)");
    const auto after = pp.pp_json({"status", "web"})["process"];
    CHECK(after["pid"] != before);
    CHECK(after["run"] == 2);
    CHECK(pp.pp({"stop", "web"}).code == 0);
    CHECK(running->wait().code == 128 + SIGTERM);
}

TEST_CASE("a finished process starts again as a new run of the same process, and both logs are there", "[e2e][run]") {
    Installation pp;
    CHECK(pp.pp({"run", "--name", "job", "sh", "-c", "echo once"}).out == "once\n");
    CHECK(pp.pp({"run", "--name", "job", "sh", "-c", "echo once"}).out == "once\n");
    const auto processes = pp.pp_json({"ls", "--all"})["processes"];
    REQUIRE(processes.size() == 1);
    CHECK(processes[0]["run"] == 2);
    CHECK(pp.pp({"logs", "job", "--run", "1"}).out == "once\n");
    CHECK(pp.pp({"logs", "job"}).out == "once\n");
    CHECK(pp.pp_json({"status", "job"})["runs"].size() == 2);
}

TEST_CASE("counter: streams, lines and times are told apart", "[e2e][output]") {
    Installation pp;
    const std::string counter =
        "for i in $(seq 1 20); do if [ $((i % 2)) = 1 ]; then echo odd $i; else echo even $i >&2; fi; done; exec sleep 1000";
    const auto started = pp.pp({"run", "-d", "--name", "counter", "--streams", "split", "sh", "-c", counter});
    REQUIRE(started.code == 0);
    const auto follow = pp.start_pp({"logs", "-f", "--raw", "counter"});
    follow->wait_for_output("odd 19");
    follow->wait_for_output("even 20");
    CHECK(pp.pp({"logs", "--stream", "stdout", "-n", "2", "counter"}).out == "odd 17\nodd 19\n");
    CHECK(pp.pp({"logs", "--stream", "stderr", "-n", "1", "counter"}).out == "even 20\n");
    CHECK(pp.pp({"logs", "--since", "2099-01-01T00:00:00Z", "counter"}).out.empty());
    const auto all = pp.pp({"logs", "--before", "2099-01-01T00:00:00Z", "counter"}).out;
    CHECK(std::count(all.begin(), all.end(), '\n') == 20);
    CHECK(pp.pp({"stop", "counter"}).code == 0);
    follow->wait();
}

TEST_CASE("pp wait gives the child's code, and 124 when time is up", "[e2e][wait]") {
    Installation pp;
    pp.pp({"run", "-d", "--name", "slow", "-i", "sh", "-c", "read x; exit 9"});
    CHECK(pp.pp({"wait", "slow", "--timeout", "0.05"}).code == 124);
    const auto waiting = pp.start_pp({"wait", "slow"});
    CHECK(pp.pp({"send", "slow", "go", "--enter"}).code == 0);
    CHECK(waiting->wait().code == 9);
}

TEST_CASE("shutdown with live processes asks which way, and ends everything once told", "[e2e][shutdown]") {
    Installation pp;
    pp.pp({"run", "-d", "--name", "server", "sleep", "1000"});
    const auto asked = pp.pp({"shutdown"});
    CHECK(asked.code != 0);
    CHECK_THAT(asked.err, Catch::Matchers::Contains("--stop"));
    CHECK(pp.pp({"shutdown", "--stop"}).code == 0);
    CHECK(pp.hub_pid() == 0);
    CHECK(pp.pp_json({"ls", "--all"})["processes"][0]["outcome"] == "stopped");
}
