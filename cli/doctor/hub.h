#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

/// What `pp-hub --check` says: the settings that a hub would take, and what is wrong with them.
struct SettingsFacts {
    int port = 0;
    std::vector<std::string> problems;
};
/// From its lines: `port 8947`, `problem …` (pure).
SettingsFacts settings_in(const std::string& text);

struct PortFacts {
    int port = 0;  ///< that is wanted; 0: any
    bool hub_answers = false;
    int hub_port = 0;         ///< that the hub has; 0: none
    std::string hub_problem;  ///< why it has none
    bool is_free = true;      ///< asked only where no hub runs
    std::string holder;       ///< who has it
};
Findings judge(const PortFacts& facts);

/// Whether the hub lives, answers, and has a history; whether hub and keeper are one each, and move.
Findings judge_hub(const Survey& survey);
Findings judge_keeper(const Survey& survey);

Findings check_hub(const Survey& survey);
Findings check_port(const Survey& survey);

}  // namespace pp::cli::doctor
