#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/doctor/running_programs.h"
#include "protocol/rundir/process_files.h"

namespace pp::cli::doctor {

/// What many checks need, looked at once.
struct Survey {
    std::vector<RunningProgram> programs;
    std::vector<rundir::ProcessFiles> processes;
    std::optional<rundir::HubEpoch> epoch;
    bool hub_lock_held = false;
    bool keeper_lock_held = false;
    pid_t keeper_pid =
        0;  ///< of who listens on keeper.sock; 0: nobody, or in a pid namespace that we do not see
    bool keeper_listens = false;

    enum class Hub { none, silent, answers };
    Hub hub = Hub::none;        ///< silent: it holds its lock and does not answer
    nlohmann::json hub_status;  ///< null unless it answers

    std::vector<std::string> refusals;  ///< what could not be looked at, and why

    /// Null: it does not run.
    [[nodiscard]] const RunningProgram* find(const std::string& name) const;
    /// Pid of a process's shim; 0: none was found.
    [[nodiscard]] pid_t shim_of(std::uint64_t process) const;
    [[nodiscard]] bool any_program() const { return !programs.empty(); }
};

/// Starts nothing, and changes nothing.
Survey survey(const Context& context);

}  // namespace pp::cli::doctor
