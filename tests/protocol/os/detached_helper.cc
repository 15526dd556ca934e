// What os_test starts detached: reports how it finds itself, and does as its first argument says.
#include <dirent.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "protocol/os/daemon.h"

extern char** environ;

namespace {

std::string open_descriptors() {
    std::string list;
    DIR* dir = ::opendir("/proc/self/fd");
    while (const dirent* entry = dir != nullptr ? ::readdir(dir) : nullptr) {
        if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(dir)) list += std::string{" "} + entry->d_name;
    }
    if (dir != nullptr) ::closedir(dir);
    return list;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "silent") return 0;
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    std::string said = "pid " + std::to_string(::getpid()) + " session " + std::to_string(::getsid(0)) + " parent " +
                       std::to_string(::getppid());
    said += "\nfds" + open_descriptors();
    said += "\nblocked " + std::to_string(sigismember(&blocked, SIGUSR1));
    struct sigaction action {};
    ::sigaction(SIGPIPE, nullptr, &action);
    said += "\npipe " + std::string{action.sa_handler == SIG_DFL ? "default" : "other"};
    for (char** entry = environ; *entry != nullptr; ++entry) said += std::string{"\nenv "} + *entry;
    said += "\n";
    pp::os::report_ready(said);
    return 0;
}
