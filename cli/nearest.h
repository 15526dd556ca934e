#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pp::cli {

/// The candidate that was probably meant by a mistyped word; nothing if none is near.
std::optional<std::string> find_nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace pp::cli
