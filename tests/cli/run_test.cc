#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "protocol/os/error.h"
#include "tests/cli/control_hub.h"
#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using nlohmann::json;
using test::ControlHub;
using test::PpProcess;

namespace {

json started(std::uint64_t begin_cursor, std::uint32_t run, bool already_running = false) {
    return {{"process", {{"id", "p1"}, {"name", "web"}, {"run", run}, {"pid", 4711}}},
            {"already_running", already_running},
            {"begin_cursor", begin_cursor}};
}

/// A hub in a program of its own, which can be killed. Listens when this returns; `play` is its life.
template <class Play>
pid_t fork_hub(const rundir::Home& home, Play play) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) os::throw_errno("pipe");
    const pid_t hub = ::fork();
    if (hub == 0) {
        ControlHub answers{home};
        ::close(ready[0]);
        ::close(ready[1]);
        play(answers);
        ::_exit(0);
    }
    ::close(ready[1]);
    char end = 0;
    [[maybe_unused]] const auto got = ::read(ready[0], &end, 1);
    ::close(ready[0]);
    return hub;
}

}  // namespace

TEST_CASE("run sends what its child inherits, shows all it wrote, and gives its code", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    PpProcess run{home.root(), {"run", "sh", "-c", "echo a; exit 7"}, "/tmp"};
    const auto request = hub.next();
    CHECK(request.operation == "start");
    CHECK(request.working_directory == "/tmp");
    CHECK(request.environment.at("LANG") == "C.UTF-8");
    CHECK(json::parse(request.limits_json).size() >= 16);
    CHECK(request.pid > 0);
    CHECK(request.argv == std::vector<std::string>{"sh", "-c", "echo a; exit 7"});
    CHECK(request.streams == "split");

    web.begin_run(1);
    web.write("early\n");
    hub.reply("ok", started(0, 1).dump());
    REQUIRE(run.wait_for_output("early\n"));
    web.write("oops\n", ring::Stream::err);
    web.write("late without newline");
    web.exit(7);
    CHECK(run.wait() == 7);
    CHECK(run.out == "early\nlate without newline");
    CHECK(run.error == "oops\n");
}

TEST_CASE("run follows a restart, and gives the code of the last run", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("old run\n");
    web.exit(0);
    web.begin_run(2);
    PpProcess run{home.root(), {"run", "serve"}};
    hub.next();
    hub.reply("ok", started(8, 2, true).dump());
    web.write("two\n");
    REQUIRE(run.wait_for_output("two\n"));
    web.stopping();
    web.write("last of two\n");
    web.begin_run(3);
    web.write("three\n");
    web.finish(ring::ExitKind::signaled, SIGTERM);
    CHECK(run.wait() == 128 + SIGTERM);
    CHECK(run.out == "two\nlast of two\nthree\n");
    CHECK(run.error ==
          "pp: web (p1) is already running, pid 4711; showing its output from the beginning of the run\n"
          "pp: restarted (run 3)\n");
}

TEST_CASE("run waits for a run that has not begun yet", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    PpProcess run{home.root(), {"run", "serve"}};
    hub.next();
    hub.reply("ok", started(0, 1).dump());
    test::Fabricated web{home.home(), 1, "web", "serve"};  // its page appears now
    web.begin_run(1);
    web.write("x\n");
    web.exit(0);
    CHECK(run.wait() == 0);
    CHECK(run.out == "x\n");
}

TEST_CASE("an interrupt without a terminal leaves the process running", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("x\n");
    for (const auto& [signal, code] :
         {std::pair{SIGINT, 0}, {SIGTERM, 128 + SIGTERM}, {SIGHUP, 128 + SIGHUP}}) {
        PpProcess run{home.root(), {"run", "serve"}};
        hub.next();
        hub.reply("ok", started(0, 1).dump());
        REQUIRE(run.wait_for_output("x\n"));
        run.signal(signal);
        CHECK(run.wait() == code);
        if (signal == SIGINT) CHECK_THAT(run.error, Catch::Contains("pp logs -f web"));
    }
}

TEST_CASE("what a slow reader loses is said when it begins, and in sum at the end", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};  // its log keeps 64 KiB
    web.begin_run(1);
    PpProcess run{home.root(), {"run", "serve"}};
    hub.next();
    web.write("begin\n");
    hub.reply("ok", started(0, 1).dump());
    REQUIRE(run.wait_for_output("begin\n"));
    const std::string line(999, 'x');
    std::size_t written = 0;
    for (int laps = 0; laps < 10; ++laps) {  // nobody reads: our pipe and its fill, and the log goes on
        for (int i = 0; i < 300; ++i) web.write(line + "\n");
        written += 300 * 1000;
        const auto before = run.out.size();
        REQUIRE(run.wait_for_output_beyond(before));
    }
    web.exit(0);
    CHECK(run.wait() == 0);
    const auto first = run.error.find("bytes are missing:");
    REQUIRE(first != std::string::npos);
    CHECK(run.error.find("bytes are missing:", first + 1) == std::string::npos);
    CHECK(std::count(run.error.begin(), run.error.end(), '\n') == 2);
    CHECK_THAT(run.error, Catch::Contains(" bytes are missing in all, in ") && Catch::Contains("--log-size"));
    CHECK(run.out.size() < written);
}

TEST_CASE("on-exit stop asks the hub, and shows what is written until the end", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("x\n");
    PpProcess run{home.root(), {"run", "--on-exit", "stop", "serve"}};
    hub.next();
    hub.reply("ok", started(0, 1).dump());
    REQUIRE(run.wait_for_output("x\n"));
    run.signal(SIGINT);
    const auto stop = hub.next();
    CHECK(stop.operation == "stop");
    CHECK(json::parse(stop.arguments) == json{{"process", "p1"}});
    web.stopping();
    web.write("goodbye\n");
    web.finish(ring::ExitKind::signaled, SIGTERM);
    CHECK(run.wait() == 143);
    CHECK(run.out == "x\ngoodbye\n");
}

TEST_CASE("run ends quietly when nobody reads it any more", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("x\n");
    PpProcess run{home.root(), {"run", "serve"}};
    hub.next();
    hub.reply("ok", started(0, 1).dump());
    REQUIRE(run.wait_for_output("x\n"));
    run.close_stdout();
    CHECK(run.wait() == 0);
    CHECK(run.error.empty());
}

TEST_CASE("a start that is refused is said once, and gives the code that a shell would", "[cli][run]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    const auto refused = [&](const std::vector<std::string>& words, const std::string& status) {
        PpProcess run{home.root(), words};
        hub.next();
        hub.reply(status, "{}", "because");
        const int code = run.wait();
        CHECK(run.error == "pp: because\n");
        return code;
    };
    CHECK(refused({"run", "no-such-program"}, "failed") == 127);
    CHECK(refused({"run", "/no/such/program"}, "failed") == 127);
    CHECK(refused({"run", "/etc/passwd"}, "failed") == 126);
    CHECK(refused({"run", "sh", "-c", "true"}, "failed") == 1);
    CHECK(refused({"run", "sh"}, "usage") == 2);
    CHECK(refused({"run", "sh"}, "ambiguous") == 4);
    CHECK(refused({"run", "-d", "no-such-program"}, "failed") == 127);
    CHECK(refused({"stop", "x"}, "not_found") == 3);
    PpProcess mistyped{home.root(), {"stopp", "x"}};
    hub.next();
    hub.reply("failed", "{}", "there is no program");
    CHECK(mistyped.wait() == 127);
    CHECK(mistyped.error == "pp: there is no program; did you mean 'pp stop'?\n");
    CHECK(refused({"restart", "x"}, "timed_out") == 124);
}

TEST_CASE("run -i passes standard input on in pieces, and sends again what was not taken",
          "[cli][run][stdin]") {
    test::TemporaryHome home;
    ControlHub hub{home.home()};
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    PpProcess run{home.root(), {"run", "-i", "serve"}, "/", "hello world"};
    CHECK(json::parse(hub.next().arguments).at("options").at("stdin") == "pipe");
    hub.reply("ok", started(0, 1).dump());
    CHECK(json::parse(hub.next().arguments) == json{{"process", "p1"}, {"text", "hello world"}});
    hub.reply("ok", R"({"taken":6,"length":11})");
    CHECK(json::parse(hub.next().arguments) == json{{"process", "p1"}, {"text", "world"}});
    hub.reply("ok", R"({"taken":5,"length":5})");
    CHECK(json::parse(hub.next().arguments) == json{{"process", "p1"}, {"text", ""}, {"eof", true}});
    hub.reply("ok", R"({"taken":0,"length":0,"eof":true})");
    web.exit(0);
    CHECK(run.wait() == 0);
}

TEST_CASE("run goes on when the hub is killed", "[cli][run]") {
    test::TemporaryHome home;
    test::Fabricated web{home.home(), 1, "web", "serve"};
    web.begin_run(1);
    web.write("x\n");
    const pid_t hub = fork_hub(home.home(), [](ControlHub& answers) {
        answers.next();
        answers.reply("ok", started(0, 1).dump());
        while (true) ::pause();
    });
    PpProcess run{home.root(), {"run", "serve"}};
    REQUIRE(run.wait_for_output("x\n"));
    ::kill(hub, SIGKILL);
    ::waitpid(hub, nullptr, 0);
    web.write("y\n");
    REQUIRE(run.wait_for_output("y\n"));
    web.exit(5);
    CHECK(run.wait() == 5);
}

TEST_CASE("a hub that dies over a start leaves its outcome unknown, and that is said", "[cli][run]") {
    test::TemporaryHome home;
    const pid_t hub = fork_hub(home.home(), [](ControlHub& answers) { answers.next(); });
    PpProcess run{home.root(), {"run", "serve"}};
    CHECK(run.wait() == 1);
    CHECK_THAT(run.error, Catch::Contains("is not known"));
    ::waitpid(hub, nullptr, 0);
}
