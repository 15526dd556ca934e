#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/support/installation.h"
#include "tests/support/mcp_client.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;

namespace {

test::McpClient agent(const Installation& pp) { return test::McpClient{pp.mcp_port(), pp.work()}; }

}  // namespace

TEST_CASE("two terminals with different environments and an agent share one server by start", "[e2e][run][ensure]") {
    Installation pp;
    const std::string script = "echo colour $COLOUR; exec sleep 1000";
    pp.set("COLOUR", "red");
    const auto first = pp.start_pp({"run", "sh", "-c", script});
    first->wait_for_output("colour red");
    pp.set("COLOUR", "blue");
    const auto second = pp.start_pp({"run", "sh", "-c", script});
    second->wait_for_output("colour red");
    second->wait_for_error("already running");

    const auto joined = agent(pp).call("start", {{"command", {"sh", "-c", script}}});
    CHECK(joined["already_running"] == true);
    CHECK(joined["process"]["id"] == "p1");
    CHECK(joined["process"]["owner"]["kind"] == "human");
    CHECK(joined["output"] == "colour red\n");
    CHECK(joined["lost_bytes"] == 0);
    CHECK(joined["more"] == false);
    CHECK(pp.pp_json({"ls"})["processes"].size() == 1);
    CHECK(pp.pp({"stop", "p1"}).code == 0);
    CHECK(first->wait().code == 128 + SIGTERM);
    CHECK(second->wait().code == 128 + SIGTERM);
}

TEST_CASE("a new run of a finished process has what its start says, and defaults for the rest", "[e2e][ensure]") {
    Installation pp;
    CHECK(pp.pp({"run", "-i", "wc", "-c"}, "hi\n").out == "3\n");
    REQUIRE(pp.pp({"run", "-d", "wc", "-c"}).code == 0);
    REQUIRE(pp.pp_json({"status", "wc-c"})["stdin"] == "null");
    CHECK(pp.pp({"run", "wc", "-c"}).out == "0\n");
    CHECK(pp.pp_json({"status", "wc-c"})["process"]["run"] == 3);

    CHECK(pp.pp({"run", "--pty", "test", "-t", "1"}).code == 0);
    CHECK(pp.pp({"run", "test", "-t", "1"}).code == 1);
    CHECK(pp.pp_json({"status", "test-t-1"})["process"]["mode"] == "pipe");
}

TEST_CASE("an agent's start keeps streams apart after a person's run that had them in one pipe", "[e2e][ensure]") {
    Installation pp;
    const json command{"sh", "-c", "echo out; echo err >&2"};
    const auto ran = pp.pp({"run", "--streams", "merged", "--name", "both", "--label", "mine", "sh", "-c", command[2]});
    CHECK(ran.out == "out\nerr\n");
    auto client = agent(pp);
    const auto started = client.call("start", {{"command", command}, {"wait", {{"for", "exit"}}}});
    CHECK(started["process"]["id"] == "p1");
    CHECK(started["process"]["run"] == 2);
    CHECK(started["process"]["name"] == "both");
    CHECK(started["process"]["label"] == "mine");
    CHECK(client.call("get_output", {{"process", "both"}, {"stream", "stderr"}})["output"] == "err\n");
}

TEST_CASE("a restart repeats how the run before was started", "[e2e][ensure][restart]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--streams", "merged", "--name", "cat", "cat"}).code == 0);
    REQUIRE(pp.pp({"restart", "cat"}).code == 0);
    const auto status = pp.pp_json({"status", "cat"});
    CHECK(status["stdin"] == "pipe");
    CHECK(status["streams"] == "merged");
    CHECK(pp.pp({"send", "cat", "again", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "again\n");
}

TEST_CASE("a live process is held to what a start says, and to nothing else", "[e2e][ensure]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--pty", "--name", "term", "sleep", "1000"}).code == 0);
    auto client = agent(pp);
    const auto start = [](const json& more) {
        json arguments{{"command", "sleep 1000"}};
        arguments.update(more);
        return arguments;
    };
    CHECK(client.call("start", start(json::object()))["already_running"] == true);
    CHECK(client.call("start", start({{"options", {{"rows", 24}, {"log", {{"size", "16M"}}}}}}))["already_running"] == true);
    CHECK_THAT(client.refusal("start", start({{"mode", "pipe"}, {"options", {{"cols", 33}, {"log", {{"size", "1M"}}}}}})),
               Contains("another mode, cols, log size"));
    CHECK(pp.pp({"run", "-d", "sleep", "1000"}).code == 0);
    CHECK(pp.pp({"run", "-d", "-i", "sleep", "1000"}).code == 1);
}

TEST_CASE("the size of a log is of the process: it stays over its runs, and another is refused", "[e2e][ensure]") {
    Installation pp;
    pp.pp({"hub", "start"});
    auto client = agent(pp);
    const auto start = [&](const json& log) {
        return json{{"command", {"echo", "kept"}}, {"wait", {{"for", "exit"}}}, {"options", {{"log", log}}}};
    };
    const auto capacity = [&] { return client.call("get_status", {{"process", "p1"}})["log"]["capacity"]; };
    client.call("start", start({{"size", "64K"}}));
    CHECK(capacity() == 65536);
    CHECK(client.call("start", start(json::object()))["process"]["run"] == 2);
    CHECK(client.call("start", start({{"size", "64K"}}))["process"]["run"] == 3);
    CHECK_THAT(client.refusal("start", start({{"size", "1M"}})), Contains("64 KiB") && Contains("clear"));
    CHECK(client.call("get_status", {{"process", "p1"}})["process"]["run"] == 3);
    CHECK(capacity() == 65536);
}

TEST_CASE("a redirected run has two streams, though the same command runs elsewhere", "[e2e][ensure][run]") {
    Installation pp;
    ::mkdir((pp.work() + "/other").c_str(), 0700);
    REQUIRE(pp.pp({"run", "-d", "--dir", "other", "sh", "-c", "echo err >&2; exec sleep 1000"}).code == 0);
    const auto here = pp.start_pp({"run", "--name", "here", "sh", "-c", "echo err >&2; exec sleep 1000"});
    here->wait_for_error("err\n");
    CHECK(here->out().empty());
    CHECK(pp.pp_json({"status", "here"})["streams"] == "split");
    CHECK(pp.pp({"stop", "here"}).code == 0);
    here->wait();
}

TEST_CASE("a start and a restart tell what is lost of their output, and whether there is more", "[e2e][ensure][output]") {
    Installation pp;
    pp.pp({"hub", "start"});
    auto client = agent(pp);
    const json command{"sh", "-c", "seq 1 100000; read x"};  // 588,895 bytes, of which the log keeps 64 KiB and the head
    const auto small = client.call("start", {{"command", command}, {"wait", {{"for", "exit"}, {"timeout", 60}}}, {"options", {{"log", {{"size", "64K"}}}}}});
    CHECK(small["ended"] == true);
    CHECK(small["cursor"] == 588'895);
    CHECK(small["lost_bytes"].get<std::uint64_t>() > 400'000);
    CHECK(small["more"] == false);

    const auto waiting = client.call("start", {{"command", {"sh", "-c", "seq 1 10000; exec sleep 1000"}}, {"name", "long"},
                                               {"wait", {{"for", "settled"}, {"timeout", 60}}}});
    CHECK(waiting["more"] == true);
    CHECK(waiting["lost_bytes"] == 0);
    const auto again = client.call("restart", {{"process", "long"}});
    CHECK(again["process"]["run"] == 2);
    CHECK(again["lost_bytes"] == 0);
    REQUIRE(again["more"].is_boolean());
    const auto on = client.call("get_output", {{"process", "long"}, {"cursor", waiting["cursor"]}, {"lines", 1}});
    CHECK(waiting["output"].get<std::string>().starts_with("1\n2\n"));
    CHECK(on["output"].get<std::string>() != "1\n");
}

TEST_CASE("an agent that ends the hub hears that it did", "[e2e][shutdown]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    auto client = agent(pp);
    CHECK_THAT(client.refusal("shutdown", json::object()), Contains("leave"));
    CHECK(client.call("shutdown", {{"processes", "leave"}})["left"] == json{"p1"});
    CHECK(pp.pp_json({"ls"})["processes"][0]["state"] == "running");
}
