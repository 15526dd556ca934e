#include <catch2/catch.hpp>
#include <string>

#include "tests/support/installation.h"
#include "tests/support/mcp_client.h"
#include "tests/support/skip.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;
using test::Running;

namespace {

constexpr int kNotHere = 77;

std::vector<std::string> confined(const std::string& way, const Installation& pp, std::vector<std::string> words) {
    words.insert(words.begin(), {std::string{PP_BIN_DIR} + "/pp_test_confine", way, pp.program("pp")});
    return words;
}

struct Way {
    const char* name;
    const char* words;
};
constexpr Way kWays[] = {{"no_new_privs", "no_new_privs"}, {"seccomp", "a seccomp filter"}, {"landlock", "landlock"}};

/// Everybody who starts something is told, and who asks.
void check_told(Installation& pp, const std::string& words) {
    CHECK_THAT(pp.pp_json({"hub", "status"})["sandbox"].get<std::string>(), Contains(words));
    CHECK_THAT(pp.pp({"hub", "status"}).out, Contains("sandbox") && Contains(words));
    const auto watched = pp.pp({"run", "--name", "watched", "echo", "hello"});
    CHECK(watched.code == 0);
    CHECK(watched.out == "hello\n");
    CHECK_THAT(watched.err, Contains("sandbox") && Contains(words));
    const auto detached = pp.pp({"run", "-d", "--name", "detached", "sleep", "1000"});
    CHECK(detached.code == 0);
    CHECK_THAT(detached.err, Contains("sandbox") && Contains(words));
    CHECK_THAT(pp.pp({"restart", "detached"}).err, Contains("sandbox") && Contains(words));
}

}  // namespace

TEST_CASE("a hub that was started from a sandbox says so with every start, and in its status", "[e2e][sandbox]") {
    const auto way = GENERATE(from_range(std::begin(kWays), std::end(kWays)));
    CAPTURE(way.name);
    Installation pp;
    const auto started = Running{confined(way.name, pp, {"hub", "start"}), pp.environment(), pp.work()}.wait();
    if (started.code == kNotHere) return test::skip(started.err);
    REQUIRE(started.code == 0);
    check_told(pp, way.words);

    test::McpClient agent{pp.mcp_port(), pp.work()};
    const auto start = agent.call("start", {{"command", "true"}});
    CHECK_THAT(start["sandbox"].get<std::string>(), Contains(way.words));
    const auto text = agent.exchange(agent.call_of("start", json{{"command", "true"}}.dump()));
    CHECK_THAT(text, Contains("Note: what pp starts runs in a sandbox"));
    CHECK_THAT(agent.call("restart", {{"process", "watched"}})["sandbox"].get<std::string>(), Contains(way.words));
}

TEST_CASE("a hub in another pid namespace is used from outside, and says what it is", "[e2e][sandbox]") {
    Installation pp;
    Running sandbox{confined("pid_namespace", pp, {"hub", "start"}), pp.environment(), pp.work()};
    try {
        sandbox.wait_for_output("confine: it has ended");
    } catch (const std::runtime_error&) {
        const auto ended = sandbox.wait();
        if (ended.code == kNotHere) return test::skip(ended.err);
        throw;
    }
    check_told(pp, "a pid namespace of its own");
    CHECK(pp.pp({"stop", "detached"}).code == 0);
    CHECK(pp.pp({"shutdown"}).code == 0);
    sandbox.close_input();
    CHECK(sandbox.wait().code == 0);
}

TEST_CASE("a hub outside of the pid namespace that one runs in is named, and not taken for none", "[e2e][sandbox]") {
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    const auto hub = pp.hub_pid();
    Running sandbox{confined("pid_namespace", pp, {"run", "true"}), pp.environment(), pp.work()};
    sandbox.close_input();
    const auto ran = sandbox.wait();
    if (ran.code == kNotHere) return test::skip(ran.err);
    CHECK(ran.code == 5);
    CHECK_THAT(ran.err, Contains("outside of this pid namespace"));
    CHECK(pp.hub_pid() == hub);
}

TEST_CASE("a hub that nobody confined says nothing of a sandbox", "[e2e][sandbox]") {
    Installation pp;
    const auto ran = pp.pp({"run", "true"});
    CHECK(ran.err.empty());
    CHECK(pp.pp_json({"hub", "status"})["sandbox"].is_null());
}
