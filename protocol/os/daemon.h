#pragma once

#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// Descriptor under which a program started by start_detached says that it is ready: it writes one line and closes it.
inline constexpr int kReadyFd = 3;

/// Starts a program in nobody's tree: double fork, a session of its own, `/` as directory, the null device as stdin,
/// stdout and stderr, no other descriptor but kReadyFd, default and unblocked signals, `environment` and nothing else.
/// Returns when the program has closed kReadyFd (or ended), with what it wrote there; throws std::system_error if it could
/// not be executed. The caller may have threads: only async-signal-safe calls happen between fork and exec. A caller that is
/// a subreaper is none while this lasts, or the program would become its child: what it loses by that goes to its reaper.
std::string start_detached(const std::string& program, const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment);

/// The same for a loop, in two steps: starts it and does not wait. The descriptor hangs up (POLLHUP) when the program has
/// closed kReadyFd or ended;
UniqueFd begin_detached(const std::string& program, const std::vector<std::string>& arguments,
                        const std::vector<std::string>& environment);
/// then this tells what it wrote, and throws if it could not be executed.
std::string read_report(const UniqueFd& ready, const std::string& program);

/// The started program's end: says `text` and closes kReadyFd. Does nothing if it was not started so.
void report_ready(const std::string& text);

/// Path of a program of ours: beside the one that runs, wherever that was installed.
std::string sibling_program(const std::string& name);

}  // namespace pp::os
