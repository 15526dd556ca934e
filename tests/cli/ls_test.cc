#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using nlohmann::json;
using test::run_pp;

TEST_CASE("ls shows live ones, how finished ones ended, and damaged ones as such", "[cli][ls]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(3, 4242);
    test::Fabricated build{home.home(), 2, "build", "make"};
    build.begin_run(1);
    build.exit(2);
    test::Fabricated crashed{home.home(), 3, "crashed", "segv"};
    crashed.begin_run(1);
    crashed.finish(ring::ExitKind::signaled, SIGSEGV);
    test::Fabricated broken{home.home(), 4, "broken", "x"};
    std::ofstream{home.home().launch(4)} << "garbage";
    std::ofstream{home.home().state_page(4)} << "garbage";

    const auto ran = run_pp(home.root(), {"ls"});
    CHECK(ran.code == 0);
    CHECK_THAT(ran.out, Catch::Matches("(.|\n)*p1 +web +running +4242 +3 +[^\n]* - +serve\n(.|\n)*"));
    CHECK_THAT(ran.out, Catch::Matches("(.|\n)*p2 +build +failed +- +1 +[^\n]* 2 +make\n(.|\n)*"));
    CHECK_THAT(ran.out, Catch::Matches("(.|\n)*p3 +crashed +crashed +- +1 +[^\n]* SIGSEGV +segv\n(.|\n)*"));
    CHECK_THAT(ran.out, Catch::Matches("(.|\n)*p4 +- +damaged(.|\n)*"));
    CHECK(run_pp(home.root(), {"ls", "-q"}).out == "p1\np2\np3\np4\n");
}

TEST_CASE("ls --json has the keys of the tools", "[cli][ls]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1, 4242);
    const auto processes = json::parse(run_pp(home.root(), {"ls", "--json"}).out).at("processes");
    REQUIRE(processes.size() == 1);
    CHECK(processes[0].at("id") == "p1");
    CHECK(processes[0].at("pid") == 4242);
    CHECK(processes[0].at("exit_code").is_null());
}

TEST_CASE("ls leaves out finished ones but the newest, and says so", "[cli][ls]") {
    test::TemporaryHome home;
    test::Fabricated live{home.home(), 1, "n1", "true"};
    live.begin_run(1);
    for (std::uint64_t number = 2; number <= 25; ++number) {
        test::Fabricated one{home.home(), number, "n" + std::to_string(number), "true"};
        one.begin_run(1);
        one.exit(0);
    }
    const auto some = run_pp(home.root(), {"ls"});
    CHECK(std::count(some.out.begin(), some.out.end(), '\n') == 22);
    CHECK_THAT(some.out, Catch::Contains("n1 ") && Catch::Contains("n25") && !Catch::Contains("n2 "));
    CHECK_THAT(some.error, Catch::Contains("4 more"));
    const auto all = run_pp(home.root(), {"ls", "--all"});
    CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 26);
}

TEST_CASE("status tells what files tell where no hub runs", "[cli][status]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1, 4242);
    web.write("hello\n");
    const auto text = run_pp(home.root(), {"status", "web"});
    CHECK(text.code == 0);
    CHECK_THAT(text.out, Catch::Contains("web (p1) is running, pid 4242, run 1") && Catch::Contains("serve"));
    const auto status = json::parse(run_pp(home.root(), {"status", "--json", "p1"}).out);
    CHECK(status.at("process").at("state") == "running");
    CHECK(status.at("log").at("end") == 6);
    CHECK(status.at("tree").is_null());
}

TEST_CASE("ls works in a directory that has been removed", "[cli][ls]") {
    test::TemporaryHome home;
    const std::string gone = home.root() + "/gone";
    REQUIRE(::mkdir(gone.c_str(), 0700) == 0);
    const std::string pp = std::string{PP_BIN_DIR} + "/pp";
    CHECK(::system(("cd '" + gone + "' && rmdir '" + gone + "' && PP_HOME='" + home.root() + "' '" + pp + "' ls > /dev/null 2>&1").c_str()) == 0);
}
