#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

/// One of the four programs, beside this pp.
struct Installed {
    std::string name;
    std::string path;
    std::string version;  ///< as it says itself, "pp-hub 0.1.0"; empty: it could not be asked
    std::string error;    ///< why not
};

/// Whether the four are of one version, and what runs was started from them.
Findings judge(const std::string& own_version, const std::vector<Installed>& installed,
               const std::vector<RunningProgram>& running, const std::string& hub_version);

Findings check_programs(const Survey& survey);

/// What a program of ours prints, to its end. Throws std::system_error if it cannot be executed.
std::string output_of(const std::vector<std::string>& argv);

}  // namespace pp::cli::doctor
