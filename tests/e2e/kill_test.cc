#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/event_log.h"
#include "tests/support/checkpoint.h"
#include "tests/support/installation.h"
#include "tests/support/keeper_probe.h"
#include "tests/support/lines.h"

using namespace pp;
using nlohmann::json;
using test::Installation;

namespace {

/// Its spare read end tells how much its pipe holds. Nobody tells when that is as much as it takes.
void wait_until_full(pid_t pid) {
    const os::UniqueFd pipe{::open(("/proc/" + std::to_string(pid) + "/fd/100").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    REQUIRE(pipe);
    const int capacity = ::fcntl(pipe.get(), F_GETPIPE_SZ);
    int held = 0;
    while (held < capacity / 2) {  // a page that no line fits into whole any more stays part empty
        REQUIRE(::ioctl(pipe.get(), FIONREAD, &held) == 0);
        ::sched_yield();
    }
}

}  // namespace

TEST_CASE("the hub is killed in the middle of a burst, with a client blocked on it and 20 processes", "[e2e][kill]") {
    Installation pp;
    for (int i = 1; i <= 20; ++i)
        REQUIRE(pp.pp({"run", "-d", "-i", "--name", "n" + std::to_string(i), "sh", "-c", "trap '' TERM; echo up; cat; exit 6"})
                    .code == 0);
    const auto before = pp.pp_json({"ls"})["processes"];
    const auto blocked = pp.start_pp({"stop", "n1", "--timeout", "1000"});
    const auto told = pp.start_pp({"logs", "-f", "n1"});
    const auto running = pp.start_pp({"run", "--name", "burst", "sh", "-c", "seq 1 300000; exit 5"});
    running->wait_for_output("1000\n");
    Installation::kill_hard(pp.hub_pid());
    const auto ran = running->wait();
    CHECK(ran.code == 5);
    CHECK(ran.out == test::lines_to(300000));
    const auto unanswered = blocked->wait();
    CHECK(unanswered.code == 1);
    CHECK_THAT(unanswered.err, Catch::Matchers::Contains("is not known"));

    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp_json({"status", "burst"})["process"]["exit_code"] == 5);
    CHECK(pp.pp({"logs", "burst"}).out == test::lines_to(300000));
    for (const auto& process : before)
        CHECK(pp.pp_json({"status", process["id"].get<std::string>()})["process"]["pid"] == process["pid"]);
    // the order to stop had been passed on, or not; either way it can be ended at once
    CHECK(pp.pp({"stop", "n1", "--force"}).code == 0);
    CHECK(told->wait().out == "up\n");
    for (int i = 2; i <= 20; ++i) {
        const auto name = "n" + std::to_string(i);
        CHECK(pp.pp({"send", name, "last words", "--enter", "--eof"}).code == 0);
        CHECK(pp.pp({"wait", name}).code == 6);
        CHECK(pp.pp({"logs", name}).out == "up\nlast words\n");
    }
}

TEST_CASE("events are numbered in order and none is lost while hubs come and go", "[e2e][kill][events]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "echo up; exec sleep 1000"}).code == 0);
    for (int i = 0; i < 5; ++i) {
        Installation::kill_hard(pp.hub_pid());
        if (i % 2 == 1) {  // it ends while no hub is there
            const auto process = pp.pp_json({"ls"})["processes"][0];
            ::kill(process["pid"].get<int>(), SIGKILL);
            CHECK(pp.pp({"wait", "web"}).code == 128 + SIGKILL);
        }
        REQUIRE(pp.pp({"restart", "web"}).code == 0);
    }
    REQUIRE(pp.pp({"stop", "web"}).code == 0);
    const auto events = rundir::read_events(pp.home().events(1), 1);
    std::map<std::uint32_t, std::vector<rundir::EventKind>> of_run;
    for (std::size_t i = 0; i < events.size(); ++i) {
        CHECK(events[i].number == i + 1);
        if (events[i].kind != rundir::EventKind::stop_requested) of_run[events[i].run].push_back(events[i].kind);
    }
    using enum rundir::EventKind;
    REQUIRE(of_run.size() == 6);
    for (auto& [run, kinds] : of_run) {
        CAPTURE(run);
        REQUIRE(kinds.size() == 4);
        CHECK(kinds[0] == started);
        CHECK(kinds[1] == exited);
        CHECK(std::count(kinds.begin(), kinds.end(), tree_gone) == 1);
        CHECK(std::count(kinds.begin(), kinds.end(), drained) == 1);
    }
    CHECK(pp.pp_json({"status", "web"})["runs"].size() == 6);
}

TEST_CASE("twenty processes outlive their hub with the same pids, and their exits are known to the next", "[e2e][kill]") {
    Installation pp;
    for (int i = 1; i <= 20; ++i)
        REQUIRE(pp.pp({"run", "-d", "-i", "--name", "n" + std::to_string(i), "sh", "-c",
                       "echo up " + std::to_string(i) + "; read x; echo down; exit " + std::to_string(i)})
                    .code == 0);
    const auto before = pp.pp_json({"ls"})["processes"];
    REQUIRE(before.size() == 20);
    const auto waiting = pp.start_pp({"wait", "n1"});
    Installation::kill_hard(pp.hub_pid());
    // these end while no hub is there
    for (int i = 1; i <= 3; ++i) {
        const auto found = std::find_if(before.begin(), before.end(), [&](const json& process) {
            return process["name"] == "n" + std::to_string(i);
        });
        ::kill(found->at("pid").get<int>(), SIGUSR2);
    }
    CHECK(waiting->wait().code == 128 + SIGUSR2);
    CHECK(pp.hub_pid() == 0);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    for (const auto& process : before) {
        const auto after = pp.pp_json({"status", process["id"].get<std::string>()});
        const int number = std::stoi(process["name"].get<std::string>().substr(1));
        if (number <= 3) {
            CHECK(after["process"]["signal"] == "SIGUSR2");
            CHECK(after["process"]["outcome"] == "killed");
        } else {
            CHECK(after["process"]["pid"] == process["pid"]);
            CHECK(after["process"]["state"] == "running");
        }
        REQUIRE(after["runs"].size() == 1);
    }
    CHECK(pp.pp({"send", "n20", "bye", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "n20"}).code == 20);
    CHECK(pp.pp({"logs", "n20"}).out == "up 20\ndown\n");
}

TEST_CASE("a killed shim is replaced: same child, same output, stdin still open, stop still works", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    const auto follow = pp.start_pp({"logs", "-f", "--raw", "cat"});
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    follow->wait_for_output("one\n");
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
    follow->wait_for_output("two\n");
    CHECK(pp.pp_json({"status", "cat"})["process"]["pid"] == pid);
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(follow->wait().out == "one\ntwo\n");
    CHECK(pp.pp_json({"status", "cat"})["process"]["outcome"] == "stopped");
}

TEST_CASE("a killed keeper costs nothing, and a shim killed after it is replaced too", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    Installation::kill_hard(pp.keeper_pid());
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    test::wait_until_kept(pp.home(), 1, 4);  // two pipes of output, its stdin, and its pidfd
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "two", "--eof", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "one\ntwo\n");
    CHECK(pp.pp_json({"status", "cat"})["runs"][0]["pid"] == pid);
}

TEST_CASE("a shim killed with the keeper, before the hub has heard of it, has a successor without anybody asking", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const auto pid = pp.pp_json({"status", "web"})["process"]["pid"];
    const pid_t shim = pp.shim_pid("p1");
    const pid_t keeper = pp.keeper_pid();
    Installation::kill_hard(pp.hub_pid());
    ::kill(shim, SIGSTOP);    // it cannot say Hello to the next hub
    ::kill(keeper, SIGSTOP);  // nor can the keeper start a successor
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    Installation::kill_hard(shim);
    Installation::kill_hard(keeper);
    test::wait_until_kept(pp.home(), 1, 3);  // two pipes of output, and its pidfd
    CHECK(pp.shim_pid("p1") != shim);
    CHECK(pp.pp_json({"status", "web"})["process"]["pid"] == pid);
    CHECK(pp.pp({"stop", "web"}).code == 0);
}

TEST_CASE("a lock that outlives its shim for a while does not keep a successor away", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const auto pid = pp.pp_json({"status", "web"})["process"]["pid"];
    const pid_t shim = pp.shim_pid("p1");
    const pid_t keeper = pp.keeper_pid();
    ::kill(keeper, SIGSTOP);
    Installation::kill_hard(shim);
    {
        // as of a child that the shim had forked, and that has not executed its program yet
        const auto held = os::OfdLock::try_take(pp.home().process_lock(1));
        REQUIRE(held);
        Installation::kill_hard(keeper);
        while (pp.pp({"status", "web"}).out.find("has not answered for 3 s") == std::string::npos) {
        }
    }
    test::wait_until_kept(pp.home(), 1, 3);  // two pipes of output, and its pidfd
    CHECK(pp.pp_json({"status", "web"})["process"]["pid"] == pid);
    CHECK(pp.pp({"stop", "web"}).code == 0);
}

TEST_CASE("with all of pp dead a program whose pipe is full waits, and the next hub reads on to its true end", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "burst", "sh", "-c",
                   "trap 'seq 1 100000; exit 7' USR1; echo up; while :; do sleep 1000 & wait; done"})
                .code == 0);
    const auto pid = pp.pp_json({"status", "burst"})["process"]["pid"].get<pid_t>();
    ::kill(pp.keeper_pid(), SIGSTOP);  // lest it starts a successor before it is killed
    const pid_t keeper = pp.keeper_pid();
    Installation::kill_hard(pp.hub_pid());
    Installation::kill_hard(pp.shim_pid("p1"));
    Installation::kill_hard(keeper);
    REQUIRE(pp.living().size() == 2);  // it, and its sleep
    ::kill(pid, SIGUSR1);
    wait_until_full(pid);
    CHECK(os::find_proc_stat(pid)->state != 'Z');
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp({"wait", "burst"}).code == 7);
    CHECK(pp.pp({"logs", "burst"}).out == "up\n" + test::lines_to(100000));
}

TEST_CASE("after a reboot how a run ended is not known, its log is there, and a new run goes on behind it", "[e2e][kill][reboot]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "echo up; exec sleep 1000"}).code == 0);
    test::wait_for_checkpoint(pp.home(), 1, 3);
    pp.end_all();
    const os::UniqueFd page{::open(pp.home().state_page(1).c_str(), O_RDWR | O_CLOEXEC)};
    REQUIRE(::pwrite(page.get(), "00000000", 8, offsetof(ring::StatePageLayout, boot_id)) == 8);  // of another boot
    const auto status = pp.pp_json({"status", "web"});
    CHECK(status["process"]["state"] == "finished");
    CHECK(status["process"]["outcome"] == "unknown");
    CHECK_THAT(pp.pp({"status", "web"}).out, Catch::Matchers::Contains("reboot"));
    CHECK(pp.pp({"restart", "web"}).code == 0);
    CHECK(pp.pp({"logs", "--run", "1", "web"}).out == "up\n");
    CHECK(pp.pp_json({"status", "web"})["process"]["run"] == 2);
    CHECK(pp.pp({"stop", "web"}).code == 0);
}

TEST_CASE("a process whose shims do not come up is shown as such, and goes on; mended, it can be commanded", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"].get<int>();
    const auto socket = pp.home().shim_socket(1);
    REQUIRE(::unlink(socket.c_str()) == 0);
    REQUIRE(::mkdir(socket.c_str(), 0700) == 0);  // in the place of its socket: no shim comes up
    Installation::kill_hard(pp.shim_pid("p1"));
    const auto sent = pp.pp({"send", "cat", "one", "--enter"});
    CHECK(sent.code != 0);
    CHECK_THAT(sent.err, Catch::Matchers::Contains("failed to come up three times"));
    const auto status = pp.pp_json({"status", "cat"});
    CHECK(status["process"]["pid"] == pid);
    CHECK(status["process"]["state"] == "running");
    CHECK_THAT(status["why"].get<std::string>(), Catch::Matchers::Contains("its shim failed to come up three times"));
    REQUIRE(::rmdir(socket.c_str()) == 0);
    CHECK(pp.pp({"send", "cat", "two", "--eof", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "two\n");
}

TEST_CASE("with all of pp dead, what has ended is not said to run, and a wait brings the hub back", "[e2e][kill]") {
    Installation pp;
    const auto fifo = pp.work() + "/go";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "dead", "sh", "-c", "read word < go"}).code == 0);
    const auto program = os::PidFd::find(pp.pp_json({"status", "dead"})["process"]["pid"].get<pid_t>());
    REQUIRE(program);
    const auto shim = pp.shim_pid("p1");
    Installation::kill_hard(pp.hub_pid());
    ::kill(shim, SIGSTOP);  // or it would start another keeper
    Installation::kill_hard(pp.keeper_pid());
    Installation::kill_hard(shim);
    const auto unattended = pp.pp_json({"ls"})["processes"][0];
    CHECK(unattended["state"] == "running");
    CHECK(unattended["attention"] == "unattended");
    CHECK_THAT(pp.pp({"status", "dead"}).out, Catch::Matchers::Contains("nobody looks after it"));

    CHECK(os::UniqueFd{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)});
    program->wait_for_end();
    const auto ended = pp.pp_json({"ls"})["processes"][0];
    CHECK(ended["state"] == "finished");
    CHECK(ended["outcome"] == "unknown");
    CHECK(ended["pid"].is_null());
    CHECK_THAT(pp.pp({"status", "dead"}).out, Catch::Matchers::Contains("'pp hub start' finds out"));
    CHECK(pp.hub_pid() == 0);
    const auto followed = pp.start_pp({"logs", "-f", "dead"});
    CHECK(pp.pp({"wait", "dead"}).code != 124);
    CHECK(followed->wait().code == 0);
    CHECK(pp.hub_pid() != 0);
    CHECK(pp.pp_json({"ls"})["processes"][0]["attention"] == "none");
}

TEST_CASE("what a killed hub had begun to clear is no process, and the next hub removes it", "[e2e][kill]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "other", "true"}).code == 0);
    Installation::kill_hard(pp.hub_pid());
    const auto cleared = pp.home().cleared(7);
    std::filesystem::create_directory(cleared);
    std::filesystem::copy_file(pp.home().launch(1), cleared + "/launch");
    CHECK(pp.pp_json({"ls", "--all"})["processes"].size() == 1);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(cleared));
    CHECK(pp.pp_json({"hub", "status"})["processes"] == 1);
}
