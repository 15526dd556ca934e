#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#include "protocol/os/daemon.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/home.h"
#include "shim/keeper/keeper.h"
#include "shim/keeper/log.h"

namespace {

using pp::os::OfdLock;

/// The shims have it too: they put descriptors at numbers above 100. What a child gets stands in its launch file.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

constexpr std::chrono::seconds kPatience{5};

struct Locks {
    std::optional<OfdLock> starting;  ///< held until we listen
    std::optional<OfdLock> alive;     ///< nothing: another keeper listens
};

/// Who wants to be the keeper holds the byte for starting first, so whoever gets that finds a keeper that listens, one that
/// ends, or none. One that ends may close its sockets before its locks: that is waited for, so that "ready" is always true.
Locks take_locks(const pp::rundir::Home& home) {
    Locks locks;
    locks.starting = OfdLock::take_within(home.keeper_lock(), OfdLock::kStarting, kPatience);
    if (!locks.starting) throw std::runtime_error("another pp-keeper has been starting for 5 s and hangs");
    locks.alive = OfdLock::try_take(home.keeper_lock());
    if (locks.alive || pp::os::is_listening(home.keeper_socket())) return locks;
    locks.alive = OfdLock::take_within(home.keeper_lock(), OfdLock::kAlive, kPatience);
    if (!locks.alive) throw std::runtime_error("another pp-keeper holds its lock, does not listen and does not end");
    return locks;
}

/// Until nobody needs a keeper any more, or at once if there is one.
void serve(const pp::rundir::Home& home) {
    auto locks = take_locks(home);
    if (!locks.alive) return pp::os::report_ready("ready\n");
    raise_descriptor_limit();
    pp::keeper::Log log{home.log("keeper")};
    try {
        pp::keeper::Keeper keeper{home, log};
        locks.starting->release();
        log.say("pp-keeper " PP_VERSION " listens");
        pp::os::report_ready("ready\n");
        keeper.run();
        log.say("ends: nobody needs it");
    } catch (const std::exception& error) {
        log.say(std::string{"failed: "} + error.what());
        throw;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string{argv[1]} == "--version") {
        std::puts("pp-keeper " PP_VERSION);
        return 0;
    }
    if (argc != 1) {
        std::fputs("usage: pp-keeper\nStarted by pp-hub; parent of the shims, holder of what their children must not lose.\n",
                   stderr);
        return 2;
    }
    try {
        const auto home = pp::rundir::Home::from_environment(pp::rundir::current_environment(environ), ::geteuid());
        home.prepare();
        serve(home);
        return 0;
    } catch (const std::exception& error) {
        const std::string text = std::string{"error: pp-keeper: "} + error.what() + "\n";
        pp::os::report_ready(text);
        std::fputs(text.c_str(), stderr);
        return 1;
    }
}
