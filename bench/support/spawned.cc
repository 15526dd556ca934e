#include "bench/support/spawned.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <csignal>

#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"

namespace pp::bench {

Spawned::Spawned(const std::vector<std::string>& argv, int out) {
    const os::CStrings arguments{argv};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else
        ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, argv.front().c_str(), &actions, nullptr, arguments.get(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) os::throw_error(error, "spawn", argv.front());
    process_ = std::move(*os::PidFd::find(pid));
}

Spawned::~Spawned() {
    if (!process_) return;
    process_.send_signal(SIGKILL);
    wait();
}

void Spawned::wait() {
    process_.wait_for_end();
    process_.reap();
}

std::string program(const std::string& name) {
    return os::sibling_program(name);
}

}  // namespace pp::bench
