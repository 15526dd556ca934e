#include "shim/keeper/program.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/home.h"
#include "shim/keeper/keeper.h"
#include "shim/keeper/log.h"
#include "shim/keeper/nameless.h"

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

std::string holder_of(const pp::rundir::Home& home, long byte) {
    const pid_t pid = OfdLock::find_holder(home.keeper_lock(), byte);
    return pid > 0 ? " (pid " + std::to_string(pid) + ")" : "";
}

/// Who wants to be the keeper holds the byte for starting first, so whoever gets that finds a keeper that listens, one that
/// ends, or none. One that ends may close its sockets before its locks: that is waited for, so that "ready" is always true.
Locks take_locks(const pp::rundir::Home& home) {
    const bool may_be_wiped = ::access(home.keeper_lock().c_str(), F_OK) != 0;
    Locks locks;
    locks.starting = OfdLock::take_within(home.keeper_lock(), OfdLock::kStarting, kPatience);
    if (!locks.starting)
        throw std::runtime_error("another pp-keeper" + holder_of(home, OfdLock::kStarting) +
                                 " has been starting for 5 s and hangs");
    if (may_be_wiped && pp::keeper::call_nameless(home, kPatience)) return locks;
    locks.alive = OfdLock::try_take(home.keeper_lock());
    if (locks.alive || pp::os::is_listening(home.keeper_socket())) return locks;
    if (pp::keeper::call_nameless(home, kPatience)) return locks;
    locks.alive = OfdLock::take_within(home.keeper_lock(), OfdLock::kAlive, kPatience);
    if (!locks.alive)
        throw std::runtime_error("another pp-keeper" + holder_of(home, OfdLock::kAlive) +
                                 " holds its lock, does not listen and does not end");
    return locks;
}

/// Whatever ends it is said in its log.
template <class Run>
void logged(pp::keeper::Log& log, Run run) {
    try {
        run();
        log.say("ends: nobody needs it");
    } catch (const std::exception& error) {
        log.say(std::string{"failed: "} + error.what());
        throw;
    }
}

/// Until nobody needs a keeper any more, or at once if there is one.
void serve(const pp::rundir::Home& home) {
    auto locks = take_locks(home);
    if (!locks.alive) return pp::os::report_ready("ready\n");
    raise_descriptor_limit();
    pp::keeper::Log log{home.log("keeper")};
    logged(log, [&] {
        pp::keeper::Keeper keeper{home, log, std::move(*locks.alive)};
        locks.starting->release();
        log.say("pp-keeper " PP_VERSION " listens");
        pp::os::report_ready("ready\n");
        keeper.run();
    });
}

std::vector<std::byte> content_of(const pp::os::UniqueFd& memory) {
    std::vector<std::byte> bytes(64 << 10);
    std::size_t size = 0;
    while (const auto got = ::pread(memory.get(), bytes.data() + size, bytes.size() - size, static_cast<off_t>(size))) {
        if (got < 0) pp::os::throw_errno("read", "the keeper's state");
        size += static_cast<std::size_t>(got);
        if (size == bytes.size()) bytes.resize(2 * size);
    }
    bytes.resize(size);
    return bytes;
}

/// In the place of a keeper that executed us: everything of it is ours.
void go_on(const pp::rundir::Home& home, int state_fd) {
    pp::keeper::Log log{home.log("keeper")};
    logged(log, [&] {
        pp::keeper::Keeper keeper{home, log,
                                  pp::keeper::decode_handed_state(content_of(pp::os::UniqueFd{state_fd}))};
        keeper.run();
    });
}

std::optional<int> find_number(const char* text) {
    int number = 0;
    const char* const end = text + std::strlen(text);
    const auto parsed = std::from_chars(text, end, number);
    return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional{number} : std::nullopt;
}

}  // namespace

int pp::keeper::run_program(int argc, char** argv) {
    if (argc == 2 && std::string{argv[1]} == "--version") {
        std::puts("pp-keeper " PP_VERSION);
        pp::os::report_ready("pp-keeper " PP_VERSION "\n");  // for a hub that tries whether it can be executed
        return 0;
    }
    const auto state_fd = argc == 3 && std::string{argv[1]} == "--resume" ? find_number(argv[2]) : std::nullopt;
    if (argc != 1 && !state_fd) {
        std::fputs("usage: pp-keeper\nStarted by pp-hub; parent of the shims, holder of what their children must not lose.\n",
                   stderr);
        return 2;
    }
    try {
        const auto home = pp::rundir::Home::from_environment(pp::rundir::current_environment(environ), ::geteuid());
        home.prepare();
        if (state_fd)
            go_on(home, *state_fd);
        else
            serve(home);
        return 0;
    } catch (const std::exception& error) {
        const std::string text = std::string{"error: pp-keeper: "} + error.what() + "\n";
        if (!state_fd) pp::os::report_ready(text);
        std::fputs(text.c_str(), stderr);
        return 1;
    }
}
