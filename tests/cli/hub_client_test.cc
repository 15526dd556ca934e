#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/cli/control_hub.h"
#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;
using nlohmann::json;
using test::PpProcess;

namespace {

/// A hub in another program that answers one question with this and is gone; before it answers it stops who asks.
pid_t start_brief_hub(const test::TemporaryHome& home, const std::string& status, const std::string& result,
                      const std::string& text) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) std::abort();
    const pid_t pid = ::fork();
    if (pid == 0) {
        {
            test::ControlHub hub{home.home()};
            if (::write(ready[1], "", 1) != 1) std::abort();
            ::kill(hub.next().pid, SIGSTOP);
            if (!status.empty()) hub.reply(status, result, text);
        }
        ::_exit(0);
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) std::abort();
    ::close(ready[0]);
    ::close(ready[1]);
    return pid;
}

struct Ended {
    int code = 0;
    std::string out;
    std::string error;
};

/// Runs `pp` against such a hub, and lets it go on when the hub is dead.
Ended ask_brief_hub(const std::vector<std::string>& words, const std::string& status, const std::string& result,
                    const std::string& text = {}) {
    const test::TemporaryHome home;
    const pid_t hub = start_brief_hub(home, status, result, text);
    PpProcess pp{home.root(), words};
    ::waitpid(hub, nullptr, 0);
    pp.signal(SIGCONT);
    const int code = pp.wait();
    return {code, pp.out, pp.error};
}

}  // namespace

TEST_CASE("an answer counts though its hub is dead before it is read", "[cli][hub]") {
    const std::string stopped =
        json{{"process", {{"id", "p1"}, {"name", "web"}, {"state", "finished"}, {"exit_code", 7}}}, {"survivors", json::array()}}
            .dump();
    for (int round = 0; round < 20; ++round) {
        const auto ran = ask_brief_hub({"stop", "web"}, "ok", stopped);
        REQUIRE(ran.error.empty());
        REQUIRE(ran.code == 0);
        REQUIRE(ran.out == "web (p1) has finished: exited with code 7\n");
    }
    const auto refused = ask_brief_hub({"stop", "web"}, "not_found", "", "there is no process 'web'");
    CHECK(refused.code == 3);
    CHECK(refused.error == "pp: there is no process 'web'\n");
}

TEST_CASE("a hub that dies without an answer leaves it open whether a stop was done", "[cli][hub]") {
    const auto ran = ask_brief_hub({"stop", "web"}, "", "");
    CHECK(ran.code == 1);
    CHECK_THAT(ran.error, Catch::Contains("whether 'stop' was done is not known"));
}

TEST_CASE("input that every hub died over may have been taken: nobody is told to send it again", "[cli][hub][input]") {
    const test::TemporaryHome home;
    pid_t hub = start_brief_hub(home, "", "", "");
    PpProcess pp{home.root(), {"send", "web", "once"}};
    for (int asked = 1; asked < 3; ++asked) {
        ::waitpid(hub, nullptr, 0);
        hub = start_brief_hub(home, "", "", "");
        pp.signal(SIGCONT);
    }
    ::waitpid(hub, nullptr, 0);
    pp.signal(SIGCONT);
    CHECK(pp.wait() == 1);
    CHECK_THAT(pp.error, Catch::Contains("whether 'send_input' was done is not known"));
}

TEST_CASE("a shutdown that left something alive has failed", "[cli][hub][shutdown]") {
    const auto shutdown = [](const json& result, const char* how) {
        return ask_brief_hub({"shutdown", how}, "ok", result.dump());
    };
    const json all{{"stopped", {"p1"}}, {"left", json::array()}, {"problems", json::array()}};
    CHECK(shutdown(all, "--stop").code == 0);
    const json some{{"stopped", {"p1"}}, {"left", {"p2"}}, {"problems", {"p2 has survivors: pid 7 x"}}};
    const auto survived = shutdown(some, "--stop");
    CHECK(survived.code == 1);
    CHECK(survived.out == "p1 stopped\np2 left running\n");
    CHECK(survived.error == "pp: p2 has survivors: pid 7 x\n");
    const json left{{"stopped", json::array()}, {"left", {"p2"}}, {"problems", json::array()}};
    CHECK(shutdown(left, "--leave").code == 0);
    CHECK(shutdown(left, "--stop").code == 1);
}
