#include "shim/program.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <utility>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/unique_fd.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"
#include "shim/log.h"
#include "shim/shim.h"

namespace {

/// Ends of a shim that could not come up. The keeper gives up after three in a row.
enum ExitCode { kDone = 0, kUsage = 2, kSetupFailed = 71, kLockHeld = 75 };

constexpr std::chrono::seconds kLockPatience{5};  // a dead predecessor may still be tearing down

// Tests build this program once more, to speak as another version does.
#ifdef PP_SPEAKS_SHIM_PROTOCOL
const pp::shim::HubLink::Speaks kSpeaks{PP_SPEAKS_SHIM_PROTOCOL, PP_SPEAKS_VERSION};
#else
const pp::shim::HubLink::Speaks kSpeaks;
#endif

pp::os::UniqueFd birth_socket() {
    int type = 0;
    socklen_t size = sizeof type;
    const int fd = pp::wire::kBirthSocketFd;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) return {};
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return pp::os::UniqueFd{fd};
}

/// Why we cannot come up: to the log, and to the keeper, who tells it when it gives up.
void complain(const pp::rundir::Home& home, std::uint64_t process, const pp::os::UniqueFd& keeper, const std::string& why) {
    pp::shim::log(home, process, why);
    pp::wire::KeeperMessage message;
    message.verb = pp::wire::KeeperVerb::failed;
    message.process = process;
    const auto bytes = pp::wire::with_text(message, why);
    if (keeper) pp::os::send_message(keeper.get(), std::as_bytes(std::span{bytes}));
}

int serve(std::uint64_t process, bool takeover, const pp::rundir::Home& home) {
    auto birth = birth_socket();
    pp::os::UniqueFd keeper{birth ? ::fcntl(birth.get(), F_DUPFD_CLOEXEC, 0) : -1};  // until we have come up
    try {
        const auto lock =
            pp::os::OfdLock::take_within(home.process_lock(process), pp::os::OfdLock::kAlive, kLockPatience);
        if (!lock) {
            complain(home, process, keeper, "another shim holds the process's lock");
            return kLockHeld;
        }
        pp::shim::Shim shim{{home, process, takeover, std::move(birth), kSpeaks}};
        keeper.reset();
        shim.run();
        return kDone;
    } catch (const std::exception& error) {
        complain(home, process, keeper, error.what());
        pp::shim::remove_names_of_cleared(home, process);
        return kSetupFailed;
    }
}

}  // namespace

int pp::shim::run_program(int argc, char** argv) {
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
        return serve(*process, takeover,
                     pp::rundir::Home::from_environment(pp::rundir::current_environment(environ), ::geteuid()));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pp-shim: %s\n", error.what());
    }
    return kSetupFailed;
}
