#include "cli/verbs.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/cli/control_hub.h"
#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using test::run_pp;

TEST_CASE("bad command lines exit with 2 and one line that says why", "[cli][exit]") {
    test::TemporaryHome home;
    const std::vector<std::vector<std::string>> bad{{"--nonsense"},
                                                    {"run"},
                                                    {"logs"},
                                                    {"logs", "-n", "-5", "x"},
                                                    {"logs", "--grep", "(", "x"},
                                                    {"logs", "--since", "noon", "x"},
                                                    {"search"},
                                                    {"search", "x", "-C", "-1"},
                                                    {"search", "x", "web", "--all"},
                                                    {"search", "\xff", "web"},
                                                    {"wait"},
                                                    {"wait", "--timeout", "soon", "x"},
                                                    {"stop"},
                                                    {"stop", "x", "--signal", "NOPE"},
                                                    {"send", "x"},
                                                    {"clear"},
                                                    {"events", "--since", "noon"},
                                                    {"events", "-n", "many"},
                                                    {"events", "x", "--project", "/"},
                                                    {"doctor", "surplus"},
                                                    {"hub", "dance"},
                                                    {"completion", "tcsh"},
                                                    {"ls", "surplus"},
                                                    {"shutdown", "--stop", "--leave"}};
    for (const auto& words : bad) {
        const auto ran = run_pp(home.root(), words);
        INFO(words.front() << ": " << ran.error);
        CHECK(ran.code == 2);
        CHECK(ran.out.empty());
        CHECK(ran.error.starts_with("pp: "));
        CHECK(std::count(ran.error.begin(), ran.error.end(), '\n') == 1);
    }
}

TEST_CASE("a verb that is not built yet says so", "[cli][exit]") {
    test::TemporaryHome home;
    for (const char* verb : {"attach", "screen", "up", "top", "token", "mcp"}) {
        const auto ran = run_pp(home.root(), {verb});
        CHECK(ran.code == 2);
        CHECK(ran.error == std::string{"pp: '"} + verb + "' is not in this version yet\n");
    }
}

TEST_CASE("verbs that only read start no hub", "[cli][exit]") {
    test::TemporaryHome home;
    test::Fabricated process{home.home(), 1, "web", "serve"};
    process.begin_run(1);
    process.exit(0);
    for (const std::vector<std::string>& words : {std::vector<std::string>{"ls"},
                                                  {"logs", "web"},
                                                  {"status", "web"},
                                                  {"status"},
                                                  {"wait", "web"},
                                                  {"hub", "stop"},
                                                  {"shutdown"}}) {
        const auto ran = run_pp(home.root(), words);
        INFO(words.front() << ": " << ran.error);
        CHECK(ran.code == 0);
    }
    CHECK_FALSE(rundir::find_hub_epoch(home.home()));
}

TEST_CASE("asked for JSON, status and shutdown print it without a hub too", "[cli][json]") {
    test::TemporaryHome home;
    const auto status = run_pp(home.root(), {"hub", "status", "--json"});
    CHECK(status.code == 5);
    CHECK(nlohmann::json::parse(status.out).at("pid").is_null());
    const auto shutdown = run_pp(home.root(), {"shutdown", "--json"});
    CHECK(shutdown.code == 0);
    CHECK(nlohmann::json::parse(shutdown.out).at("stopped").empty());
}

TEST_CASE("hub serve beside a hub fails, and says who that is", "[cli][hub]") {
    test::TemporaryHome home;
    test::ControlHub hub{home.home()};
    const auto serve = run_pp(home.root(), {"hub", "serve"});
    CHECK(serve.code == 1);
    CHECK_THAT(serve.error, Catch::Contains("a hub runs already, pid " + std::to_string(::getpid())));
}

TEST_CASE("no process of that name exits with 3 and names the nearest, several with 4 and a list",
          "[cli][exit]") {
    test::TemporaryHome home;
    test::Fabricated one{home.home(), 1, "website", "serve"};
    test::Fabricated two{home.home(), 2, "website", "serve"};
    one.begin_run(1);
    two.begin_run(1);
    const auto none = run_pp(home.root(), {"logs", "webiste"});
    CHECK(none.code == 3);
    CHECK_THAT(none.error, Catch::Contains("did you mean 'website'"));
    const auto several = run_pp(home.root(), {"logs", "website"});
    CHECK(several.code == 4);
    CHECK_THAT(several.error, Catch::Contains("p1") && Catch::Contains("p2"));
}

TEST_CASE("every verb has a help", "[cli][exit]") {
    test::TemporaryHome home;
    for (const auto& verb : cli::verbs()) {
        const auto ran = run_pp(home.root(), {"help", std::string{verb.name}});
        INFO(verb.name);
        CHECK(ran.code == 0);
        CHECK_FALSE(ran.out.empty());
    }
    CHECK(run_pp(home.root(), {"--version"}).out == "pp " PP_VERSION "\n");
}
