#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using test::PpProcess;
using test::run_pp;

TEST_CASE("wait gives the code of a run that has ended", "[cli][wait]") {
    test::TemporaryHome home;
    test::Fabricated good{home.home(), 1, "good", "true"};
    good.begin_run(1);
    good.exit(0);
    test::Fabricated bad{home.home(), 2, "bad", "false"};
    bad.begin_run(1);
    bad.exit(7);
    test::Fabricated killed{home.home(), 3, "killed", "x"};
    killed.begin_run(1);
    killed.finish(ring::ExitKind::signaled, SIGTERM);
    CHECK(run_pp(home.root(), {"wait", "good"}).code == 0);
    CHECK(run_pp(home.root(), {"wait", "bad"}).code == 7);
    CHECK(run_pp(home.root(), {"wait", "killed"}).code == 128 + SIGTERM);
    CHECK(run_pp(home.root(), {"wait", "good", "bad", "killed"}).code == 7);
}

TEST_CASE("wait sleeps until the end comes", "[cli][wait]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    test::Fabricated first{home.home(), 2, "first", "true"};
    web.begin_run(1);
    first.begin_run(1);
    first.exit(0);
    PpProcess waiting{home.root(), {"wait", "--json", "first", "web"}};
    REQUIRE(waiting.wait_for_output("\n"));  // of the first: it waits for the second now, or will
    web.stopping();
    web.finish(ring::ExitKind::exited, 3);
    CHECK(waiting.wait() == 3);
    CHECK(nlohmann::json::parse(waiting.out.substr(waiting.out.find('\n'))).at("exit_code") == 3);
}

TEST_CASE("wait gives up with 124 when its time is over", "[cli][wait]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    const auto ran = run_pp(home.root(), {"wait", "web", "--timeout", "20ms"});
    CHECK(ran.code == 124);
    CHECK_THAT(ran.error, Catch::Contains("web (p1) still runs after 0.0 s"));
}
