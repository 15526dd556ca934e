#pragma once

#include <string>

#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

struct SandboxFacts {
    std::string ours;               ///< in what way this program is confined; empty: none that is seen
    std::string hubs;               ///< the same of hub and keeper, as the hub tells
    bool hub_answers = false;
    bool any_program = false;       ///< of pp lives
    bool is_foreign_proc = false;   ///< /proc shows another pid namespace than ours
    bool is_unseen_keeper = false;  ///< the keeper lives where we do not see its pid
};

Findings judge(const SandboxFacts& facts);

/// In what a process is confined beyond the machine's first one: what /proc/PID/status says of both (pure).
std::string confinement(const std::string& status, const std::string& of_first);

Findings check_sandbox(const Survey& survey);

}  // namespace pp::cli::doctor
