#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "protocol/ring/query.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct RestartArguments {
    Target target;
    std::chrono::milliseconds timeout{5000};  ///< grace of the stop
};

struct RestartResult {
    rundir::ProcessFiles process;
    int previous_pid = 0;  ///< 0: it had ended
    ring::Answer output;   ///< of the new run so far
    bool ended = false;  ///< the new run has ended already
};

/// A new run with the same command, directory and environment: of a live process once that is stopped, of a
/// finished one at once. Answers when the new run has settled.
Call restart(Context& context, const RestartArguments& arguments, const Caller& caller,
             OnResult<RestartResult> then);

}  // namespace pp::hub
