#pragma once

#include <nlohmann/json_fwd.hpp>

#include "hub/tools/tool.h"
#include "protocol/ring/query.h"

namespace pp::hub {

// What every reply with output has.

/// Adds `output`, `cursor`, `lost_bytes` and `more`, and to the text what was written and where to go on.
void add_output(nlohmann::json& structured, std::string& text, const ring::Answer& answer);

/// The schema of those.
nlohmann::json output_properties();

}  // namespace pp::hub
