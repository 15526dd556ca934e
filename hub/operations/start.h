#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "hub/operations/call.h"
#include "hub/operations/context.h"
#include "hub/operations/run_wait.h"
#include "hub/process/command.h"
#include "protocol/ring/query.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

struct StartArguments {
    GivenCommand command;
    std::optional<std::string> name;
    std::optional<std::string> label;
    std::string working_directory;  ///< empty: the caller's
    std::string project;            ///< empty: the caller's
    rundir::Environment environment;
    std::optional<std::string> mode;        ///< pipe | pty
    std::optional<std::uint32_t> rows;      ///< of the terminal
    std::optional<std::uint32_t> columns;
    std::optional<std::string> streams;     ///< merged | split
    std::optional<std::string> stdin_mode;  ///< null | pipe
    std::optional<std::uint64_t> log_capacity;
    bool replace = false;
    WaitFor wait = WaitFor::settled;
    std::chrono::milliseconds timeout{1000};
};

struct StartResult {
    rundir::ProcessFiles process;
    bool already_running = false;
    ring::Answer output;
    std::uint64_t begin_cursor = 0;  ///< where the run's output begins
    bool ended = false;
    bool timed_out = false;
};

/// Start is ensure: alive and equal → that one; alive and different → refused, or replaced; finished → a new
/// run of the same process; unknown → a new process.
Call start(Context& context, StartArguments arguments, const Caller& caller, OnResult<StartResult> then);

}  // namespace pp::hub
