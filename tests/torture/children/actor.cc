// What a storm starts and ends. Says into a file, a line at a time, that it has begun and, if it ends by itself, with which
// code: the truth that pp is held to.
//
//     torture_actor FILE stay             ends by whatever signal comes
//     torture_actor FILE brief CODE       ends at once
//     torture_actor FILE tidy CODE        ends so when asked by SIGTERM
//     torture_actor FILE deaf             does not hear SIGTERM
//     torture_actor FILE parent           stays, and leaves a daemon in a session of its own beside it

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

int truth = -1;
const char* name = "";

void say(const char* what, int code) {
    char line[128];
    const int size = std::snprintf(line, sizeof line, "%s %s %d %d\n", what, name, static_cast<int>(::getpid()), code);
    if (::write(truth, line, static_cast<std::size_t>(size)) != size) ::_exit(99);
}

[[noreturn]] void end(int code) {
    say("ends", code);
    ::_exit(code);
}

[[noreturn]] void stay() {
    while (true) ::pause();
}

/// Until it is told to, which is waited for with the signal blocked: it cannot come too early.
[[noreturn]] void be_tidy(int code) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    say("begins", 0);
    int signal = 0;
    ::sigwait(&term, &signal);
    end(code);
}

void leave_daemon() {
    const pid_t middle = ::fork();
    if (middle == 0) {
        ::setsid();
        if (::fork() != 0) ::_exit(0);
        stay();
    }
    ::waitpid(middle, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 98;
    const char* process = std::getenv("PP_PROCESS");
    if (process != nullptr) name = process;
    truth = ::open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    const std::string what = argv[2];
    const int code = argc > 3 ? std::atoi(argv[3]) : 0;
    if (what == "tidy") be_tidy(code);
    if (what == "deaf") ::signal(SIGTERM, SIG_IGN);
    say("begins", 0);
    if (what == "parent") leave_daemon();
    if (what == "brief") end(code);
    stay();
}
