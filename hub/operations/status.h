#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/history/store.h"
#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "hub/operations/process_tree.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct LogStatus {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t capacity = 0;
    std::uint64_t dropped_bytes = 0;
    int capture_error = 0;  ///< errno
    bool read_fallback = false;
    bool unverified = false;
    std::string damage;
};

struct StatusResult {
    rundir::ProcessFiles process;
    std::string why;                    ///< it is (not) running
    std::vector<RunRecord> runs;        ///< newest first
    std::vector<rundir::Event> events;  ///< newest first
    std::vector<TreeMember> tree;
    LogStatus log;
};

/// All there is to know of a process.
Call get_status(Context& context, const Target& target, const Caller& caller, OnResult<StatusResult> then);

}  // namespace pp::hub
