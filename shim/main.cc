#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"
#include "shim/log.h"
#include "shim/shim.h"

namespace {

/// Ends of a shim that could not come up. The keeper gives up after three in a row.
enum ExitCode { kDone = 0, kUsage = 2, kSetupFailed = 71, kLockHeld = 75 };

constexpr std::chrono::seconds kLockPatience{5};  // a dead predecessor may still be tearing down

pp::os::UniqueFd birth_socket() {
    int type = 0;
    socklen_t size = sizeof type;
    const int fd = pp::wire::kBirthSocketFd;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) return {};
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return pp::os::UniqueFd{fd};
}

int serve(std::uint64_t process, bool takeover, const pp::rundir::Home& home) {
    const auto lock =
        pp::os::OfdLock::take_within(home.process_lock(process), pp::os::OfdLock::kAlive, kLockPatience);
    if (!lock) {
        pp::shim::log(home, process, "another shim holds the process's lock");
        return kLockHeld;
    }
    pp::shim::Shim shim{{home, process, takeover, birth_socket()}};
    shim.run();
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string first = argc > 1 ? argv[1] : "";
    const bool takeover = argc == 3 && std::string{argv[2]} == "--takeover";
    if (first == "--version") {
        std::puts("pp-shim " PP_VERSION);
        return kDone;
    }
    const auto process = pp::rundir::find_process_number("p" + first);
    if (!process || (argc != 2 && !takeover)) {
        std::fputs("usage: pp-shim NUMBER [--takeover]\nStarted by pp-keeper; owns one process.\n", stderr);
        return kUsage;
    }
    try {
        const auto home =
            pp::rundir::Home::from_environment(pp::rundir::current_environment(environ), ::geteuid());
        try {
            return serve(*process, takeover, home);
        } catch (const std::exception& error) {
            pp::shim::log(home, *process, error.what());
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pp-shim: %s\n", error.what());
    }
    return kSetupFailed;
}
