#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/pid_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/home.h"
#include "protocol/rundir/launch.h"
#include "shim/terminal.h"

namespace pp::shim {

/// Our ends and the child's of everything between us.
struct Pipes {
    struct Output {
        os::UniqueFd ours;    ///< read end, non-blocking
        os::UniqueFd theirs;  ///< write end; stays O_WRONLY: asyncio takes a readable stdout for a closed peer
        ring::Stream stream = ring::Stream::merged;
    };
    std::vector<Output> outputs;  ///< one, merged, or stdout and stderr; none with a terminal
    Terminal terminal;            ///< or none: standard input, output and error in one
    os::UniqueFd input_ours;      ///< write end of stdin, or the terminal once more, non-blocking; none: the null device
    os::UniqueFd input_theirs;
};

/// Throws std::system_error (EMFILE …). A terminal, if the launch asks for one, gets this size.
Pipes make_pipes(const rundir::Launch& launch, TerminalSize size);

/// The child holds a spare read end of its own output from this number on: should all of us die, a full pipe makes it wait
/// and not die of SIGPIPE, and whoever comes next finds the pipe in /proc/PID/fd.
inline constexpr int kSpareReadFd = 100;

struct Spawned {
    os::PidFd main;
    std::uint64_t start_time = 0;
    int error = 0;          ///< errno if the program could not be executed; nothing runs then
    const char* failed = "";  ///< what failed: "chdir", "execute", …
};

/// Starts main of a run: own session, and the terminal as its controlling one, the launch's directory, environment, umask, limits and priority, default and
/// unblocked signals, no descriptor but those meant. Stores its own pid in the page between vfork and exec. Everything is
/// prepared before: between vfork and exec only async-signal-safe calls happen, for libzmq's threads may hold any lock.
Spawned spawn(const rundir::Home& home, const rundir::Launch& launch, std::uint32_t run, const Pipes& pipes,
              const ring::StatePage& page);

}  // namespace pp::shim
