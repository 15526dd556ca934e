#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "hub/hub_status.h"
#include "hub/operations/status.h"
#include "hub/process/process_text.h"
#include "hub/tools/tool.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

/// Adds `sandbox` (null: none) to what a start answers, and a note to its text.
void add_sandbox(nlohmann::json& structured, std::string& text, const std::string& ways);

/// JSON and short text of what operations answer.
nlohmann::json process_view(const rundir::ProcessFiles& files);
nlohmann::json hub_view(const HubStatus& status);
nlohmann::json status_view(const StatusResult& status);

/// What a program wrote, marked as such: it is not to be trusted.
std::string quoted_output(const std::string& output);
std::string status_text(const StatusResult& status);
std::string hub_text(const HubStatus& status);

}  // namespace pp::hub
