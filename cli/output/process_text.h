#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/output/table.h"

namespace pp::cli {

// A process as a person reads it. Takes the JSON that agents get, from the hub or from files.

/// Says on stderr in what sandbox a start or restart took place, if in any.
void say_sandbox(const nlohmann::json& started);

/// "web (p12) is running, pid 4711, run 2" or "web (p12) has finished: exited with code 7".
std::string process_line(const nlohmann::json& process);

/// "exited with code 7", "ended by SIGKILL", "unknown"; empty while it runs.
std::string end_text(const nlohmann::json& process);

/// Titles and one row per process, as `pp ls` shows them.
Table process_table(const nlohmann::json& processes);

/// All of get_status, as lines of `key  value`.
std::string status_text(const nlohmann::json& status);

/// The hub's status likewise.
std::string hub_text(const nlohmann::json& status);

}  // namespace pp::cli
