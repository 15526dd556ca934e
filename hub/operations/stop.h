#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct StopArguments {
    Target target;
    int signal = SIGTERM;
    std::chrono::milliseconds timeout{5000};  ///< grace before SIGKILL
    bool force = false;                       ///< SIGKILL at once; also what the caller itself runs in
};

struct Survivor {
    int pid = 0;
    std::string command;
};

struct StopResult {
    rundir::ProcessFiles process;
    std::vector<Survivor> survivors;  ///< alive though they got SIGKILL
};

/// Ends a process and its tree, and answers when the tree is gone. One that has ended already is an answer,
/// too.
Call stop(Context& context, const StopArguments& arguments, const Caller& caller, OnResult<StopResult> then);

/// The same for a process at hand.
void stop_process(Context& context, std::uint64_t process, int signal, std::chrono::milliseconds grace,
                  OnResult<StopResult> then);

}  // namespace pp::hub
