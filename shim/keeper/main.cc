#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

#include "protocol/os/daemon.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/rundir/home.h"
#include "shim/keeper/keeper.h"

namespace {

using pp::os::OfdLock;

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Somebody else is the keeper: wait until that one is ready, so that whoever started us can use it.
int yield_to_winner(const pp::rundir::Home& home) {
    const auto ready = OfdLock::take_within(home.keeper_lock(), OfdLock::kStarting, std::chrono::seconds{5});
    pp::os::report_ready(ready ? "ready\n" : "error: another pp-keeper holds its lock but does not become ready\n");
    return ready ? 0 : 1;
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
        auto starting = OfdLock::try_take(home.keeper_lock(), OfdLock::kStarting);
        if (!starting) return yield_to_winner(home);
        const auto lock = OfdLock::try_take(home.keeper_lock());
        if (!lock) {
            pp::os::report_ready("ready\n");
            return 0;
        }
        raise_descriptor_limit();
        pp::keeper::Keeper keeper{home};
        starting->release();
        pp::os::report_ready("ready\n");
        keeper.run();
        return 0;
    } catch (const std::exception& error) {
        const std::string text = std::string{"error: pp-keeper: "} + error.what() + "\n";
        pp::os::report_ready(text);
        std::fputs(text.c_str(), stderr);
        return 1;
    }
}
