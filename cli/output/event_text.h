#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pp::cli {

/// One event as a person reads it, with a newline: number, time, `web#3` or `hub`, what happened.
std::string event_line(const nlohmann::json& event, bool colours);

}  // namespace pp::cli
