#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pp::cli {

/// On one line, without a newline. Bytes that are not UTF-8, of names, commands and output, are replaced.
std::string json_text(const nlohmann::json& value);

}  // namespace pp::cli
