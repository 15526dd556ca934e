#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include "protocol/os/daemon.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"

using namespace pp;
using os::ExitStatus;
using os::PidFd;
// Signals are SIGUSR2 and SIGKILL: a forked test inherits what Catch does at SIGTERM.

namespace {

/// A child that ends with `code`, or waits if none is given.
pid_t start(std::optional<int> code = {}) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    if (code) ::_exit(*code);
    while (true) ::pause();
}

void wait_until_ended(const PidFd& process) {
    pollfd polled{process.get(), POLLIN, 0};
    ::poll(&polled, 1, -1);
}

PidFd held(pid_t pid) {
    auto found = PidFd::find(pid);
    REQUIRE(found);
    return std::move(*found);
}

std::string line_of(const std::string& text, const std::string& key) {
    const auto at = ("\n" + text).find("\n" + key);
    if (at == std::string::npos) return {};
    return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

TEST_CASE("how a child ended is known before it is reaped", "[os][process]") {
    const auto process = held(start(7));
    wait_until_ended(process);
    CHECK(process.ended());
    rusage usage{};
    for (int i = 0; i < 2; ++i) {  // looking does not reap
        const auto status = process.find_exit(&usage);
        REQUIRE(status);
        CHECK(status->kind == ExitStatus::Kind::exited);
        CHECK(status->value == 7);
    }
    CHECK(usage.ru_maxrss > 0);
    process.reap();
    CHECK_FALSE(process.find_exit());
    CHECK_FALSE(process.send_signal(0));
    CHECK_FALSE(PidFd::find(process.pid()));
}

TEST_CASE("a child that a signal ended says which", "[os][process]") {
    const auto process = held(start());
    CHECK_FALSE(process.ended());
    CHECK_FALSE(process.find_exit());
    process.reap();  // nothing to reap, nothing happens
    CHECK(process.send_signal(SIGUSR2));
    wait_until_ended(process);
    const auto status = process.find_exit();
    REQUIRE(status);
    CHECK(status->kind == ExitStatus::Kind::signaled);
    CHECK(status->value == SIGUSR2);
    CHECK_FALSE(status->core);
    process.reap();
}

TEST_CASE("how a stranger ended is read while it is a zombie", "[os][process]") {
    for (const int signal : {SIGUSR2, SIGKILL}) {
        // a grandchild: not ours to wait for; its parent does not reap it
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        const os::UniqueFd told{ends[0]};
        os::UniqueFd tell{ends[1]};
        const pid_t parent = ::fork();
        if (parent == 0) {
            const pid_t grandchild = start();
            [[maybe_unused]] const auto said = ::write(tell.get(), &grandchild, sizeof grandchild);
            while (true) ::pause();
        }
        pid_t grandchild = 0;
        REQUIRE(::read(told.get(), &grandchild, sizeof grandchild) == sizeof grandchild);
        const auto stranger = held(grandchild);
        const auto stat = os::find_proc_stat(grandchild);
        REQUIRE(stat);
        CHECK(stat->parent == parent);
        CHECK_FALSE(os::find_exit_of_stranger(stranger, stat->start_time));
        stranger.send_signal(signal);
        wait_until_ended(stranger);
        CHECK_FALSE(stranger.find_exit());  // ECHILD
        const auto status = os::find_exit_of_stranger(stranger, stat->start_time);
        REQUIRE(status);
        CHECK(status->kind == ExitStatus::Kind::signaled);
        CHECK(status->value == signal);
        ::kill(parent, SIGKILL);
        ::waitpid(parent, nullptr, 0);
    }
}

TEST_CASE("how a stranger ended is told by its descriptor once somebody has reaped it, by a kernel that can", "[os][process]") {
    const pid_t pid = start(9);
    const auto process = held(pid);
    const auto stat = os::find_proc_stat(pid);
    REQUIRE(stat);
    wait_until_ended(process);
    CHECK_FALSE(os::find_exit_of_reaped(process));
    CHECK(os::find_exit_of_zombie(process, stat->start_time).value().value == 9);
    process.reap();
    CHECK_FALSE(os::find_exit_of_zombie(process, stat->start_time));
    const auto status = os::find_exit_of_reaped(process);
    if (!status) {
        WARN("this kernel has no PIDFD_GET_INFO");
        return;
    }
    CHECK(status->kind == ExitStatus::Kind::exited);
    CHECK(status->value == 9);
    CHECK(os::find_exit_of_stranger(process, stat->start_time).value().value == 9);
}

TEST_CASE("the 0 that the kernel writes for one that we may not look into is not taken for an exit code", "[os][process]") {
    if (::geteuid() != 0) {
        WARN("another user's process takes root to make");
        return;
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::setresuid(12345, 12345, 12345) != 0) ::_exit(1);
        ::_exit(7);
    }
    const auto process = held(pid);
    wait_until_ended(process);
    const auto stat = os::find_proc_stat(pid);
    REQUIRE(stat);
    CHECK(os::may_look_into(pid));
    CHECK(os::find_exit_of_zombie(process, stat->start_time).value().value == 7);
    const pid_t reader = ::fork();  // the same look by one who may not
    if (reader == 0) {
        const bool dropped = ::setresuid(54321, 54321, 54321) == 0;
        const bool is_silent = !os::may_look_into(pid) && !os::find_exit_of_zombie(process, stat->start_time);
        ::_exit(dropped && is_silent ? 0 : 1);
    }
    int status = 0;
    ::waitpid(reader, &status, 0);
    CHECK(status == 0);
    process.reap();
}

TEST_CASE("a stranger with another start time is not believed", "[os][process]") {
    const pid_t pid = start(3);
    const auto process = held(pid);
    wait_until_ended(process);
    const auto stat = os::find_proc_stat(pid);
    REQUIRE(stat);
    CHECK(stat->state == 'Z');
    const auto status = os::find_exit_of_stranger(process, stat->start_time);
    REQUIRE(status);
    CHECK(status->value == 3);
    CHECK_FALSE(os::find_exit_of_stranger(process, stat->start_time + 1));
    process.reap();
}

TEST_CASE("a wait status is told as exit or signal", "[os][process]") {
    CHECK(ExitStatus::from_wait_status(5 << 8).value == 5);
    CHECK(ExitStatus::from_wait_status(9).kind == ExitStatus::Kind::signaled);
    CHECK(ExitStatus::from_wait_status(11 | 0x80).core);
}

TEST_CASE("proc tells of ourselves what the system calls do", "[os][proc]") {
    const auto self = os::find_proc_stat(::getpid());
    REQUIRE(self);
    CHECK(self->pid == ::getpid());
    CHECK(self->parent == ::getppid());
    CHECK(self->group == ::getpgrp());
    CHECK(self->session == ::getsid(0));
    CHECK(self->state == 'R');
    CHECK(self->start_time > 0);
    CHECK_FALSE(os::find_proc_stat(0x7FFFFFFF));
    CHECK(os::boot_id().size() == 36);
    CHECK(os::command_line(::getpid()).find("os_test") != std::string::npos);
}

TEST_CASE("a name with blanks and parentheses does not shift the fields of proc", "[os][proc]") {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_NAME, ") R 1 2 (x");
        ::raise(SIGSTOP);
        ::_exit(0);
    }
    ::waitpid(pid, nullptr, WUNTRACED);
    const auto stat = os::find_proc_stat(pid);
    REQUIRE(stat);
    CHECK(stat->comm == ") R 1 2 (x");
    CHECK(stat->state == 'T');
    CHECK(stat->parent == ::getpid());
    const auto children = os::children_of(::getpid());
    CHECK(std::find(children.begin(), children.end(), pid) != children.end());
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST_CASE("an environment value of another process is found by its whole name", "[os][proc]") {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const char* const argv[] = {"sleep", "1000", nullptr};
        const char* const envp[] = {"PP_PROCESS_X=no", "PP_PROCESS=p12#3", nullptr};
        ::raise(SIGSTOP);
        ::execve("/bin/sleep", const_cast<char* const*>(argv), const_cast<char* const*>(envp));
        ::_exit(1);
    }
    ::waitpid(pid, nullptr, WUNTRACED);
    ::kill(pid, SIGCONT);
    // exec closes nothing here that could be waited for: its command line changing is the event
    while (os::command_line(pid) != "sleep 1000" && os::find_proc_stat(pid)->state != 'Z') ::sched_yield();
    CHECK(os::find_environment_value(pid, "PP_PROCESS") == "p12#3");
    CHECK_FALSE(os::find_environment_value(pid, "PROCESS"));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST_CASE("a detached program is in a session of its own and says when it is ready", "[os][daemon]") {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    const int leak = ::open("/dev/null", O_RDONLY);  // not close-on-exec
    const auto said = os::start_detached(PP_DETACHED_HELPER, {"report"}, {"ONLY=this"});
    ::close(leak);
    ::signal(SIGPIPE, SIG_DFL);
    ::sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
    int pid = 0;
    int session = 0;
    int parent = 0;
    REQUIRE(std::sscanf(said.c_str(), "pid %d session %d parent %d", &pid, &session, &parent) == 3);
    CHECK(session != ::getsid(0));
    CHECK(parent != ::getpid());
    CHECK(line_of(said, "fds") == "fds 0 1 2 3");
    CHECK(line_of(said, "blocked") == "blocked 0");
    CHECK(line_of(said, "pipe") == "pipe default");
    CHECK(line_of(said, "env ONLY") == "env ONLY=this");
    CHECK(line_of(said, "env PATH").empty());
}

TEST_CASE("a detached program that ends without a word, or cannot be executed, is told", "[os][daemon]") {
    CHECK(os::start_detached(PP_DETACHED_HELPER, {"silent"}, {}).empty());
    CHECK_THROWS_WITH(os::start_detached("/nonexistent/program", {}, {}),
                      "execute /nonexistent/program: No such file or directory");
}

TEST_CASE("what a subreaper starts detached is not its child, and it is a subreaper still", "[os][daemon]") {
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    const auto said = os::start_detached(PP_DETACHED_HELPER, {"report"}, {});
    int still = 0;
    ::prctl(PR_GET_CHILD_SUBREAPER, &still);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    int pid = 0;
    int session = 0;
    int parent = 0;
    REQUIRE(std::sscanf(said.c_str(), "pid %d session %d parent %d", &pid, &session, &parent) == 3);
    CHECK(parent != ::getpid());
    CHECK(still == 1);
}

TEST_CASE("a program that was not started detached reports nothing to nobody", "[os][daemon]") {
    const int before = ::dup(3);
    const int file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    REQUIRE(::dup2(file, 3) == 3);
    os::report_ready("x");
    CHECK(::fcntl(3, F_GETFD) >= 0);  // it is no pipe, so it is not ours to close
    ::close(3);
    if (file != 3) ::close(file);
    if (before >= 0) {
        ::dup2(before, 3);
        ::close(before);
    }
    CHECK(os::sibling_program("pp-shim").ends_with("/bin/pp-shim"));
}
