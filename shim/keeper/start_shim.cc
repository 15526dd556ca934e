#include "shim/keeper/start_shim.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/unix_socket.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::keeper {
namespace {

/// An errno of posix_spawn.
int spawn(const std::string& program, const std::vector<std::string>& arguments, int birth_socket, pid_t& pid) {
    const os::CStrings argv{program, arguments};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, birth_socket, wire::kBirthSocketFd);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.get(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    return error;
}

/// Ours and not reaped, so the number is still its own.
void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace

StartedShim start_shim(std::uint64_t process, bool takeover) noexcept {
    StartedShim started;
    pid_t pid = 0;
    try {
        auto ends = os::seqpacket_pair();
        std::vector<std::string> arguments{std::to_string(process)};
        if (takeover) arguments.emplace_back("--takeover");
        started.error = spawn(os::sibling_program("pp-shim"), arguments, ends[1].get(), pid);
        if (started.error != 0) return started;
        started.process = std::move(*os::PidFd::find(pid));  // ours and not reaped: it is there
        started.socket = std::move(ends[0]);
        return started;
    } catch (const std::system_error& error) {
        started.error = error.code().value();
    } catch (const std::bad_alloc&) {
        started.error = ENOMEM;
    }
    if (pid > 0) end(pid);
    return started;
}

bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM || error == ENOBUFS;
}

}  // namespace pp::keeper
