// System calls of hub, keeper and shims fail: the disk refuses, or the system has no more descriptors or processes. In each
// case what runs is not disturbed, what is wrong is said, and when the fault is over all goes on by itself.
#include "tests/support/fault_injector.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/process_files.h"
#include "tests/support/installation.h"
#include "tests/support/lines.h"
#include "tests/support/skip.h"
#include "tests/support/stream_client.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::FaultInjector;
using test::Installation;

namespace {

/// The programs of a home, whose system calls can be made to fail; with `cat` (p1) running under them.
struct Faulty {
    FaultInjector faults;
    Installation pp;

    Faulty() {
        const auto command = faults.under_faults({pp.program("pp"), "hub", "start"});
        REQUIRE(test::Running(command, pp.environment(), pp.work()).wait().code == 0);
        start("cat", {"cat"});
    }

    void start(const std::string& name, const std::vector<std::string>& command) {
        std::vector<std::string> words{"run", "-d", "-i", "--name", name};
        words.insert(words.end(), command.begin(), command.end());
        REQUIRE(pp.pp(words).code == 0);
    }
    std::string status(const std::string& name) { return pp.pp({"status", name}).out; }
    pid_t pid_of(const std::string& name) { return pp.pp_json({"status", name})["process"]["pid"]; }

    /// `cat`, which ran before the fault, was not disturbed by it: what it is sent comes back, and nothing else has.
    void check_cat() {
        CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
        CHECK(pp.pp({"wait", "cat"}).code == 0);
        CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
    }
};

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

std::vector<rundir::EventKind> kinds_on_disk(const Installation& pp, std::uint64_t process) {
    std::vector<rundir::EventKind> kinds;
    for (const auto& event : rundir::read_events(pp.home().events(process), 1)) kinds.push_back(event.kind);
    return kinds;
}

using enum rundir::EventKind;

}  // namespace

// The disk ---------------------------------------------------------------------------------------------------------------

TEST_CASE("a log that cannot be written to: the program is not kept waiting, what is lost is counted and said", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    const int error = GENERATE(EIO, ENOSPC, EROFS);
    const std::string text = os::error_text(error);
    CAPTURE(text);
    Faulty faulty;
    auto& pp = faulty.pp;
    faulty.faults.inject({{SYS_splice}, error, "/out.ring", "pp-shim"});
    const auto flood = pp.pp({"run", "--name", "flood", "sh", "-c", "seq 1 100000; exit 4"});
    CHECK(flood.code == 4);
    CHECK_THAT(flood.err, Contains("bytes are missing"));
    CHECK_THAT(pp.pp({"logs", "flood"}).err, Contains("588895 bytes are missing"));
    CHECK_THAT(faulty.status("flood"), Contains("588895 refused by the disk, to the end: " + text));

    const auto before = faulty.faults.count();
    CHECK(pp.pp({"send", "cat", "lost", "--enter"}).code == 0);
    faulty.faults.wait_for(before + 1);
    while (faulty.status("cat").find("5 refused by the disk, which refuses still: " + text) == std::string::npos) {
    }
    CHECK(lives(faulty.pid_of("cat")));
    faulty.faults.mend();
    faulty.check_cat();
    CHECK_THAT(faulty.status("cat"), Contains("5 refused by the disk") && !Contains("refuses still"));
    std::vector<int> told;
    for (const auto& event : rundir::read_events(pp.home().events(1), 1)) {
        if (event.kind == capture_fault) told.push_back(event.exit_value);
    }
    CHECK(told == std::vector{error, 0});
}

TEST_CASE("descriptors of a log that cannot be written cost no byte of it", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    faulty.faults.inject({{SYS_pwrite64}, EIO, "/out.ring", "pp-shim"});
    CHECK(faulty.pp.pp({"run", "--name", "count", "seq", "1", "100000"}).out == test::lines_to(100000));
    CHECK(faulty.pp.pp({"logs", "count"}).out == test::lines_to(100000));
    faulty.faults.mend();
    faulty.check_cat();
}

TEST_CASE("the head of a run that cannot be kept is lost with what is overwritten, and nothing else is", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    faulty.faults.inject({{SYS_openat, SYS_pwrite64}, EIO, "/heads", "pp-shim"});
    const auto flood = faulty.pp.pp({"run", "-d", "--name", "flood", "seq", "1", "2500000"});
    CHECK(flood.code == 0);
    CHECK(faulty.pp.pp({"wait", "flood"}).code == 0);
    CHECK(faulty.faults.count() > 0);
    const auto logs = faulty.pp.pp({"logs", "flood"});
    CHECK(test::lines_to(2500000).ends_with(logs.out));
    CHECK(logs.out.size() > (15U << 20));
    faulty.faults.mend();
    faulty.check_cat();
}

TEST_CASE("events and the exit record that the disk refuses are kept by the shim until it takes them", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    const auto shim = os::PidFd::find(pp.shim_pid("p1"));
    const pid_t main = faulty.pid_of("cat");
    Installation::kill_hard(pp.hub_pid());
    faulty.faults.inject({{SYS_pwrite64}, ENOSPC, "/events", "pp-shim"});
    faulty.faults.inject({{SYS_openat}, ENOSPC, "/exit.new", "pp-shim"});
    ::kill(main, SIGTERM);
    CHECK(pp.pp({"wait", "cat"}).code == 128 + SIGTERM);
    faulty.faults.wait_for(6);  // it has been tried again: four events, the record, an event once more
    CHECK(kinds_on_disk(pp, 1) == std::vector{started});
    CHECK_FALSE(shim->ended());

    faulty.faults.mend();
    shim->wait_for_end();
    CHECK(kinds_on_disk(pp, 1) == std::vector{started, exited, tree_gone, drained});
    const auto files = rundir::read_process_files(pp.home(), 1);
    REQUIRE(files.final_record);
    CHECK(files.final_record->exit_value == SIGTERM);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp_json({"status", "cat"})["events"].size() == 4);
}

TEST_CASE("events that never came to the disk are told to the hub, and acknowledged ones keep no shim", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    const auto shim = os::PidFd::find(pp.shim_pid("p1"));
    const pid_t main = faulty.pid_of("cat");
    Installation::kill_hard(pp.hub_pid());
    faulty.faults.inject({{SYS_pwrite64}, EIO, "/events", "pp-shim"});
    ::kill(main, SIGTERM);
    CHECK(pp.pp({"wait", "cat"}).code == 128 + SIGTERM);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    shim->wait_for_end();
    CHECK(kinds_on_disk(pp, 1) == std::vector{started});
    const auto status = pp.pp_json({"status", "cat"});
    CHECK(status["events"].size() == 4);
    CHECK(status["process"]["signal"] == "SIGTERM");
}

TEST_CASE("a launch file that cannot be written: the start is refused with why, and leaves nothing", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    const int error = GENERATE(EIO, ENOSPC);
    Faulty faulty;
    auto& pp = faulty.pp;
    REQUIRE(pp.pp({"run", "--name", "again", "echo", "again"}).code == 0);
    faulty.faults.inject({{SYS_openat}, error, "/launch.new", "pp-hub"});
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains(os::error_text(error)));
    CHECK(pp.pp_json({"ls", "--all"})["processes"].size() == 2);
    CHECK_FALSE(std::filesystem::exists(pp.home().process(3)));
    CHECK(pp.pp({"restart", "again"}).code == 0);  // by the launch file that is there
    faulty.faults.mend();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    faulty.check_cat();
}

TEST_CASE("a state page that cannot be made: the start says why, and works when it can", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    faulty.faults.inject({{SYS_openat}, EIO, ".state.new", "pp-shim"});
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains(os::error_text(EIO)));
    faulty.faults.mend();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    faulty.check_cat();
}

TEST_CASE("a history that cannot be written to: nothing waits for it, it is said, and what happened is in it afterwards",
          "[e2e][fault][history]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    const int error = GENERATE(EIO, ENOSPC);
    Faulty faulty;
    auto& pp = faulty.pp;
    for (const char* file : {"/history.db", "/history.db-wal"})
        faulty.faults.inject({{SYS_write, SYS_pwrite64, SYS_fsync, SYS_fdatasync}, error, file, {}});
    CHECK(pp.pp({"run", "--name", "more", "sh", "-c", "echo more; exit 3"}).code == 3);
    pp.wait_for_hub_log("history: ");
    CHECK(pp.pp_json({"hub", "status"})["history_problem"].is_string());
    CHECK(pp.pp_json({"status", "more"})["process"]["exit_code"] == 3);
    faulty.faults.mend();
    pp.wait_for_hub_log("history: works again");
    CHECK(pp.pp_json({"hub", "status"})["history_problem"].is_null());
    pp.wait_until_told("p2");
    CHECK(pp.pp_json({"status", "more"})["events"].size() == 4);
    faulty.check_cat();
}

// Processes ----------------------------------------------------------------------------------------------------------------

TEST_CASE("a shim that cannot fork says so of that run, and begins the next one when it can", "[e2e][fault]") {
#ifdef __SANITIZE_THREAD__
    return test::skip("ThreadSanitizer makes a fork of a vfork");
#endif
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    faulty.faults.inject({{SYS_vfork}, EAGAIN, "", "pp-shim"});
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code != 0);
    CHECK_THAT(refused.err, Contains("Resource temporarily unavailable"));
    CHECK_THAT(faulty.status("more"), Contains("could not be started: Resource temporarily unavailable"));
    faulty.faults.mend();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    CHECK(pp.pp_json({"status", "more"})["process"]["run"] == 2);
    faulty.check_cat();
}

TEST_CASE("a shim that gets no threads runs its process without a hub, and comes to it when it gets some", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    const pid_t main = faulty.pid_of("cat");
    const pid_t shim = pp.shim_pid("p1");
    faulty.faults.inject({{SYS_clone, SYS_clone3}, EAGAIN, "", "pp-shim"});
    Installation::kill_hard(shim);
    faulty.faults.wait_for(1);
    const pid_t successor = pp.shim_pid("p1");
    CHECK(successor != shim);
    CHECK(lives(successor));
    CHECK(lives(main));
    faulty.faults.mend();
    faulty.check_cat();
    CHECK(pp.shim_pid("p1") == successor);
}

TEST_CASE("a keeper that cannot fork refuses a start with why, owes a successor, and brings it when it can", "[e2e][fault]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    const pid_t main = faulty.pid_of("cat");
    const pid_t shim = pp.shim_pid("p1");
    const pid_t keeper = pp.keeper_pid();
    faulty.faults.inject({{SYS_vfork, SYS_clone, SYS_clone3, SYS_fork}, EAGAIN, "", "pp-keeper"});
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("Resource temporarily unavailable"));

    const auto before = faulty.faults.count();
    Installation::kill_hard(shim);
    faulty.faults.wait_for(before + 2);  // it is tried again
    CHECK(lives(main));
    faulty.faults.mend();
    faulty.check_cat();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    CHECK(pp.keeper_pid() == keeper);
}

// Descriptors --------------------------------------------------------------------------------------------------------------

TEST_CASE("a shim without descriptors for a run says so, and begins the next one when there are some", "[e2e][fault][limit]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    const int error = GENERATE(EMFILE, ENFILE);
    Faulty faulty;
    auto& pp = faulty.pp;
    faulty.faults.inject({{SYS_pipe2}, error, "", "pp-shim"});
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code != 0);
    CHECK_THAT(refused.err, Contains(os::error_text(error)));
    faulty.faults.mend();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    faulty.check_cat();
}

TEST_CASE("programs that can accept nobody sleep, and meet who waits when they can", "[e2e][fault][limit]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    auto& pp = faulty.pp;
    const auto programs = std::vector{pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1")};
    for (const char* program : {"pp-hub", "pp-keeper", "pp-shim"}) faulty.faults.inject({{SYS_accept4}, ENFILE, "", program});
    const auto agent = test::try_connect(pp.home().mcp_socket());
    const auto caller = os::find_seqpacket(pp.home().keeper_socket());
    const auto kicker = os::find_seqpacket(pp.home().shim_socket(1));
    faulty.faults.wait_for(6);
    CHECK(faulty.faults.count() < 500);  // one that spins has failed ten thousands of times by now
    faulty.faults.mend();
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    REQUIRE(::send(agent.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
    char answer = 0;
    CHECK(::recv(agent.get(), &answer, 1, 0) == 1);
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    CHECK(std::vector{pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1")} == programs);
    faulty.check_cat();
}

TEST_CASE("a shim that no hub could reach for want of descriptors comes when it has some", "[e2e][fault][limit]") {
    if (const auto why_not = FaultInjector::why_not(); !why_not.empty()) return test::skip(why_not);
    Faulty faulty;
    Installation::kill_hard(faulty.pp.hub_pid());
    faulty.faults.inject({{SYS_accept4}, EMFILE, "", "pp-shim"});
    REQUIRE(faulty.pp.pp({"hub", "start"}).code == 0);
    faulty.faults.wait_for(1);
    CHECK(lives(faulty.pp.shim_pid("p1")));
    faulty.faults.mend();
    faulty.check_cat();
}
