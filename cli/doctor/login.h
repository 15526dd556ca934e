#pragma once

#include <string>

#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

/// Whether a logout ends what pp runs (logind.conf(5)).
struct LoginFacts {
    bool has_manager = false;           ///< systemd runs the machine
    bool kills_user_processes = false;  ///< KillUserProcesses
    std::string kill_only_users;        ///< KillOnlyUsers; empty: all
    std::string kill_exclude_users = "root";
    std::string user;
    bool lingers = false;
    std::string group;  ///< path of the cgroup that pp's processes are in, or would be
};

/// `root` is "/", or where a test has its own /etc, /run and so on.
LoginFacts login_facts(const std::string& root, const std::string& user, const std::string& group);

Findings judge(const LoginFacts& facts);

Findings check_login(const Survey& survey);

}  // namespace pp::cli::doctor
