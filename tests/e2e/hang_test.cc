// Who hangs is found when somebody asks. These wait for the patience of hub and CLI to end, which is 10 s.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/installation.h"
#include "tests/support/keeper_probe.h"

using namespace pp;
using Catch::Matchers::Contains;
using os::OfdLock;
using test::Installation;

namespace {

pid_t pid_of(Installation& pp, const std::string& name) { return pp.pp_json({"status", name})["process"]["pid"]; }

char state_of(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat ? stat->state : 'X';
}

void start_cat(Installation& pp) { REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0); }

std::string hub_log(const Installation& pp) { return os::find_file_content(pp.home().log("hub")).value_or(""); }

/// Holds a process where it is, as a debugger does: as good as an endless loop, for no SIGCONT makes it go on. By a process of
/// its own, since a traced one that dies is its tracer's to reap first.
class Frozen {
  public:
    explicit Frozen(pid_t pid) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        tracer_ = ::fork();
        if (tracer_ == 0) {
            int status = 0;
            const bool is_held = ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0 &&
                                 ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) == 0 && ::waitpid(pid, &status, __WALL) == pid;
            [[maybe_unused]] const auto said = ::write(ends[1], is_held ? "y" : "n", 1);
            while (is_held && ::waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status)) {
            }
            ::_exit(0);
        }
        char answer = 'n';
        const auto got = ::read(ends[0], &answer, 1);
        holds_ = got == 1 && answer == 'y';
        for (const int end : ends) ::close(end);
    }
    ~Frozen() {
        ::kill(tracer_, SIGKILL);
        ::waitpid(tracer_, nullptr, 0);
    }
    Frozen(const Frozen&) = delete;
    Frozen& operator=(const Frozen&) = delete;
    [[nodiscard]] bool holds() const { return holds_; }

  private:
    pid_t tracer_ = 0;
    bool holds_ = false;
};

pid_t find_shim_beside(const Installation& pp, pid_t other) {
    for (const pid_t child : os::children_of(pp.keeper_pid())) {
        const auto program = os::find_program_path(child);
        if (child != other && program && program->ends_with("/pp-shim")) return child;
    }
    return 0;
}

}  // namespace

TEST_CASE("a stopped shim is found when something is asked of it, and replaced; the program notices nothing", "[e2e][hang]") {
    Installation pp;
    start_cat(pp);
    const pid_t main = pid_of(pp, "cat");
    const auto shim = pp.shim_pid("p1");
    ::kill(shim, SIGSTOP);
    const auto sent = pp.pp({"send", "cat", "one", "--enter"});  // whether it was taken nobody knows
    CHECK(sent.code == 1);
    CHECK_THAT(sent.err, Contains("is not known") && Contains("look at its output before"));
    CHECK(pp.shim_pid("p1") != shim);
    CHECK_THAT(hub_log(pp), Contains("p1: its shim (pid " + std::to_string(shim) + ") was asked and did not answer: it hangs, and is killed"));
    CHECK(pid_of(pp, "cat") == main);
    CHECK(pp.pp({"send", "cat", "two", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "two\n");
}

TEST_CASE("what can do no harm is asked again of the successor of a shim that hung", "[e2e][hang]") {
    Installation pp;
    start_cat(pp);
    const auto shim = pp.shim_pid("p1");
    const Frozen frozen{shim};
    if (!frozen.holds()) {
        WARN("this system lets nobody trace");
        return;
    }
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(pp.pp_json({"status", "cat"})["process"]["outcome"] == "stopped");
}

TEST_CASE("a shim that is stopped for a moment is not dead", "[e2e][hang]") {
    Installation pp;
    start_cat(pp);
    const auto shim = pp.shim_pid("p1");
    ::kill(shim, SIGSTOP);
    const auto sending = pp.start_pp({"send", "cat", "one", "--enter"});
    ::kill(shim, SIGCONT);
    CHECK(sending->wait().code == 0);
    CHECK(pp.shim_pid("p1") == shim);
}

TEST_CASE("a shim that hung before its hub came is found by the next one, when it is asked", "[e2e][hang]") {
    Installation pp;
    start_cat(pp);
    const pid_t main = pid_of(pp, "cat");
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    const auto shim = pp.shim_pid("p1");
    ::kill(shim, SIGSTOP);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(pp.shim_pid("p1") != shim);
    CHECK(state_of(main) == 'X');
    CHECK_THAT(hub_log(pp), Contains("should have said Hello and did not"));
}

TEST_CASE("a shim that hangs in the middle of a take-over is found, and succeeded in its turn", "[e2e][hang]") {
    Installation pp;
    start_cat(pp);
    const pid_t main = pid_of(pp, "cat");
    test::wait_until_kept(pp.home(), 1, 4);
    const auto shim = pp.shim_pid("p1");
    ::kill(pp.keeper_pid(), SIGSTOP);
    Installation::kill_hard(shim);
    auto lock = OfdLock::take_within(pp.home().process_lock(1), OfdLock::kAlive, std::chrono::seconds{60}).value();
    ::kill(pp.keeper_pid(), SIGCONT);
    pid_t second = 0;
    while (second == 0 || state_of(second) != 'S') second = find_shim_beside(pp, shim);  // it waits for the lock
    ::kill(second, SIGSTOP);
    lock.release();
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(state_of(second) == 'X');
    CHECK(state_of(main) == 'X');
    CHECK(pp.pp_json({"status", "cat"})["process"]["outcome"] == "stopped");
}

TEST_CASE("a keeper that somebody has stopped is made to go on when it is needed: nothing is lost", "[e2e][hang][keeper]") {
    Installation pp;
    start_cat(pp);
    const pid_t keeper = pp.keeper_pid();
    ::kill(keeper, SIGSTOP);
    CHECK(pp.pp({"run", "-d", "--name", "other", "sleep", "1000"}).code == 0);
    CHECK(pp.keeper_pid() == keeper);
    CHECK_THAT(hub_log(pp), Contains("somebody has stopped it, and it is made to go on"));
}

TEST_CASE("a keeper that hangs is killed when it is needed, and another one has everything again", "[e2e][hang][keeper]") {
    Installation pp;
    start_cat(pp);
    const pid_t main = pid_of(pp, "cat");
    const pid_t keeper = pp.keeper_pid();
    const Frozen frozen{keeper};
    if (!frozen.holds()) {
        WARN("this system lets nobody trace");
        return;
    }
    CHECK(pp.pp({"run", "-d", "--name", "other", "sleep", "1000"}).code == 0);
    CHECK(pp.keeper_pid() != keeper);
    CHECK_THAT(hub_log(pp), Contains("it hangs, and is killed; another one is started"));
    test::wait_until_kept(pp.home(), 2, 7);
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "here\n");
    CHECK((state_of(main) == 'X' || state_of(main) == 'Z'));  // whose parent was the killed keeper: PID 1 reaps it
}

TEST_CASE("a hub that hangs is said so, and pp hub restart replaces it; processes live on", "[e2e][hang][hub]") {
    Installation pp;
    start_cat(pp);
    const pid_t main = pid_of(pp, "cat");
    const pid_t hub = pp.hub_pid();
    ::kill(hub, SIGSTOP);
    CHECK(pp.pp_json({"ls"})["processes"][0]["pid"] == main);  // needs no hub
    const auto asked = pp.pp({"send", "cat", "one", "--enter"});
    CHECK(asked.code == 5);
    CHECK_THAT(asked.err, Contains("the hub (pid " + std::to_string(hub) + ") lives, but has not answered") && Contains("pp hub restart"));
    const auto restarted = pp.pp({"hub", "restart"});
    CHECK(restarted.code == 0);
    CHECK_THAT(restarted.err, Contains("did not answer, and was killed; processes live on"));
    CHECK(pp.hub_pid() != hub);
    CHECK(state_of(hub) == 'X');
    CHECK(pid_of(pp, "cat") == main);
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
}

TEST_CASE("a hub that hangs while it starts is named, and pp hub restart replaces it", "[e2e][hang][hub]") {
    Installation pp;
    start_cat(pp);
    std::unique_ptr<test::Running> hub;
    do {  // until one was caught at it
        REQUIRE(pp.pp({"hub", "stop"}).code == 0);
        hub = std::make_unique<test::Running>(std::vector<std::string>{pp.program("pp-hub")}, pp.environment(), pp.work());
        while (!OfdLock::is_held(pp.home().hub_lock(), OfdLock::kStarting) && pp.hub_pid() != hub->pid()) {
        }
        hub->signal(SIGSTOP);
        while (state_of(hub->pid()) != 'T') {
        }
        if (OfdLock::is_held_by(hub->pid(), pp.home().hub_lock(), OfdLock::kStarting)) break;
        hub->signal(SIGCONT);
    } while (true);
    const auto started = pp.pp({"hub", "start"});
    CHECK(started.code == 5);
    CHECK_THAT(started.err, Contains("another hub (pid " + std::to_string(hub->pid()) + ") has been starting") && Contains("pp hub restart"));
    const auto restarted = pp.pp({"hub", "restart"});
    CHECK(restarted.code == 0);
    CHECK_THAT(restarted.err, Contains("and was killed; processes live on"));
    CHECK(hub->wait().code == 128 + SIGKILL);
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
}
