#pragma once

#include "hub/tools/tool.h"

namespace pp::hub {

/// Each tool's entry for the table, in the file named for it.
Tool start_tool();
Tool list_tool();
Tool get_status_tool();
Tool stop_tool();
Tool restart_tool();
Tool get_output_tool();
Tool search_logs_tool();
Tool send_input_tool();
Tool get_log_paths_tool();
Tool resize_pty_tool();
Tool clear_tool();
Tool shutdown_tool();
Tool hub_status_tool();
Tool hub_stop_tool();
Tool events_tool();
Tool hub_upgrade_tool();

/// Schemas that several share.
nlohmann::json process_schema();
nlohmann::json process_parameter();
nlohmann::json project_parameter();

}  // namespace pp::hub
