// confine WAY PROGRAM ARGUMENT…: runs a program in a sandbox of one kind, and ends with its code; 77 if the system lets
// us make none. WAY is no_new_privs, seccomp, landlock or pid_namespace; the last lasts until standard input ends, because
// all that is in it dies with its first process.
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/support/private_mounts.h"

namespace {

constexpr int kNotHere = 77;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "confine: %s: %s\n", what, std::strerror(errno));
    std::exit(kNotHere);
}

void forbid_new_privileges() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("no_new_privs");
}

/// A filter that lets everything pass.
void filter_calls() {
    if (::geteuid() != 0) forbid_new_privileges();
    sock_filter pass{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const sock_fprog program{1, &pass};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) give_up("seccomp");
}

void restrict_files() {
    if (::geteuid() != 0) forbid_new_privileges();
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    const auto size = sizeof rules.handled_access_fs;
    const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0));
    if (ruleset < 0 || ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) give_up("landlock");
    ::close(ruleset);
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) != child) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

[[noreturn]] void run(char** argv) {
    ::execvp(argv[0], argv);
    give_up(argv[0]);
}

/// The first process of a pid namespace: runs the program, tells when it has ended, and stays.
[[noreturn]] void be_first(char** argv) {
    if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) give_up("mount /proc");
    const pid_t child = ::fork();
    if (child == 0) run(argv);
    const int code = wait_for(child);
    std::puts("confine: it has ended");
    std::fflush(stdout);
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    ::_exit(code);
}

void leave_pid_namespace(char** argv) {
    if (const auto why_not = pp::test::take_private_mounts(); !why_not.empty()) {
        std::fprintf(stderr, "confine: %s\n", why_not.c_str());
        std::exit(kNotHere);
    }
    if (::unshare(CLONE_NEWPID) != 0) give_up("pid namespace");
    const pid_t first = ::fork();
    if (first == 0) be_first(argv);
    ::_exit(wait_for(first));  // a leak check would fail: its helper would be of the new namespace
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const std::string way = argv[1];
    if (way == "no_new_privs") forbid_new_privileges();
    if (way == "seccomp") filter_calls();
    if (way == "landlock") restrict_files();
    if (way == "pid_namespace") leave_pid_namespace(argv + 2);
    run(argv + 2);
}
