#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using nlohmann::json;
using test::PpProcess;
using test::run_pp;

TEST_CASE("logs prints the newest run, raw into a pipe and plain on request", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("first run\n");
    web.exit(0);
    web.begin_run(2);
    web.write("\033[31mred\033[0m\n");
    web.write("oops\n", ring::Stream::err);
    web.write("unfinished");
    CHECK(run_pp(home.root(), {"logs", "web"}).out == "\033[31mred\033[0m\noops\nunfinished");
    CHECK(run_pp(home.root(), {"logs", "web", "--plain"}).out == "red\noops\nunfinished");
    CHECK(run_pp(home.root(), {"logs", "web", "--run", "1"}).out == "first run\n");
    CHECK(run_pp(home.root(), {"logs", "web", "--run", "-2"}).out == "first run\n");
    CHECK(run_pp(home.root(), {"logs", "web", "--stream", "stderr"}).out == "oops\n");
    CHECK(run_pp(home.root(), {"logs", "web", "--cursor", "0"}).out.starts_with("first run\n\033[31mred"));
    const auto none = run_pp(home.root(), {"logs", "web", "--run", "9"});
    CHECK(none.code == 2);
    CHECK_FALSE(none.error.empty());
}

TEST_CASE("logs -n gives the last lines, and --grep those that match", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    for (int i = 1; i <= 100; ++i) web.write("line " + std::to_string(i) + "\n");
    CHECK(run_pp(home.root(), {"logs", "-n", "2", "web"}).out == "line 99\nline 100\n");
    CHECK(run_pp(home.root(), {"logs", "-n", "0", "web"}).out.empty());
    CHECK(run_pp(home.root(), {"logs", "--grep", "9[0-1]$", "web"}).out == "line 90\nline 91\n");
    CHECK(run_pp(home.root(), {"logs", "--grep", "5$", "-n", "2", "web"}).out == "line 85\nline 95\n");
    CHECK(run_pp(home.root(), {"logs", "--since", "1h", "-n", "1", "web"}).out == "line 100\n");
    CHECK(run_pp(home.root(), {"logs", "--before", "1h", "web"}).out.empty());
}

TEST_CASE("logs --json gives one object per line, lines of two streams apart", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("he");
    web.write("err\n", ring::Stream::err);
    web.write("llo\n\xff\n");
    std::istringstream lines{run_pp(home.root(), {"logs", "web", "--json"}).out};
    std::vector<json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(json::parse(line));
    REQUIRE(objects.size() == 3);
    CHECK(objects[0].at("text") == "err");
    CHECK(objects[0].at("stream") == "stderr");
    CHECK(objects[0].at("cursor") == 2);
    CHECK(objects[1].at("text") == "hello");
    CHECK(objects[1].at("cursor") == 0);
    CHECK(objects[1].at("run") == 1);
    CHECK(objects[2].at("text") == "\uFFFD");
}

TEST_CASE("logs says how many bytes were overwritten", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};  // a ring of 64 KiB, and a head as large
    web.begin_run(1);
    const std::string line(999, 'x');
    for (int i = 0; i < 300; ++i) web.write(line + "\n");
    const auto ran = run_pp(home.root(), {"logs", "web"});
    CHECK_THAT(ran.error, Catch::Contains("bytes are missing: overwritten before they could be shown"));
    const auto lost = std::stoull(ran.error.substr(4));
    CHECK(ran.out.size() + lost == 300'000);
}

TEST_CASE("logs -n says what is missing of the lines that were asked for, a first one that is cut included", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    const std::string line(999, 'x');
    for (int i = 0; i < 300; ++i) web.write(line + "\n");
    const auto most = run_pp(home.root(), {"logs", "-n", "60", "web"});
    CHECK(most.out.size() == 60'000);
    CHECK(most.error.empty());
    const auto cut = run_pp(home.root(), {"logs", "-n", "66", "web"});  // the ring keeps 65 and a piece
    CHECK(cut.out.size() > 65'000);
    CHECK(cut.out.size() < 66'000);
    CHECK_THAT(cut.error, Catch::Contains("bytes are missing"));
    const auto all = run_pp(home.root(), {"logs", "-n", "300", "web"});
    CHECK(all.out == cut.out);
    CHECK(all.error == cut.error);
    // of those before, the head of the run is kept apart
    CHECK(std::stoull(all.error.substr(4)) + all.out.size() + ring::kHeadSize == 300'000);
}

TEST_CASE("each run tells its own streams apart, or not", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve", ring::kMinCapacity, "merged"};  // as the newest was started
    web.begin_run(1);
    web.write("out\n");
    web.write("err\n", ring::Stream::err);
    web.exit(0);
    web.begin_run(2);
    web.write("both\n", ring::Stream::merged);
    CHECK(run_pp(home.root(), {"logs", "web", "--run", "1", "--stream", "stderr"}).out == "err\n");
    CHECK(run_pp(home.root(), {"logs", "web", "--run", "2", "--stream", "stderr"}).code == 2);
    CHECK(run_pp(home.root(), {"logs", "web", "--stream", "stderr"}).code == 2);
}

TEST_CASE("a merged run refuses to tell its streams apart", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve", ring::kMinCapacity, "merged"};
    web.begin_run(1);
    web.write("both\n", ring::Stream::merged);
    const auto ran = run_pp(home.root(), {"logs", "web", "--stream", "stdout"});
    CHECK(ran.code == 2);
    CHECK_THAT(ran.error, Catch::Contains("merged"));
}

TEST_CASE("logs -f shows every line of a writer, over a restart, and ends with it", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve", 1u << 20};
    web.begin_run(1);
    web.write("begin\n");
    PpProcess following{home.root(), {"logs", "-f", "web"}};
    REQUIRE(following.wait_for_output("begin\n"));
    std::string expected = "begin\n";
    for (int i = 0; i < 20'000; ++i) expected += std::to_string(i) + "\n";
    std::thread writer{[&] {
        for (int i = 0; i < 20'000; ++i) {
            if (i == 10'000) {
                web.stopping();
                web.begin_run(2);
            }
            web.write(std::to_string(i) + "\n");
        }
        web.exit(0);
    }};
    CHECK(following.wait() == 0);
    writer.join();
    CHECK(following.out == expected);
    CHECK(following.error == "pp: restarted (run 2)\n");
}

TEST_CASE("logs -f ends when nobody reads it any more, though nothing is written", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("begin\n");
    PpProcess following{home.root(), {"logs", "-f", "web"}};
    REQUIRE(following.wait_for_output("begin\n"));
    following.close_stdout();
    CHECK(following.wait() == 0);
}

TEST_CASE("a damaged ring is told in one line", "[cli][logs]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    REQUIRE(::truncate(home.home().ring(1).c_str(), 5000) == 0);
    const auto ran = run_pp(home.root(), {"logs", "web"});
    CHECK(ran.code == 1);
    CHECK(std::count(ran.error.begin(), ran.error.end(), '\n') == 1);
    CHECK_THAT(ran.error, Catch::Contains("ring"));
}
