#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "protocol/ring/query.h"

namespace pp::hub {

struct OutputArguments {
    Target target;
    ring::Query query;
};

struct OutputResult {
    rundir::ProcessFiles process;
    ring::Answer answer;
};

/// Read on a worker: a whole run of many MiB takes its time, and others are answered meanwhile.
Call get_output(Context& context, const OutputArguments& arguments, const Caller& caller,
                OnResult<OutputResult> then);

struct LogPaths {
    rundir::ProcessFiles process;
    std::string out;  ///< stdout
    std::string err;  ///< stderr
    std::string combined;
    std::uint64_t upto_cursor = 0;
};

/// Text files for tools that want files: exported on a worker, and true up to a cursor.
Call get_log_paths(Context& context, const Target& target, std::int64_t run, bool times, const Caller& caller,
                   OnResult<LogPaths> then);

}  // namespace pp::hub
