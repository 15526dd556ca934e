#pragma once

#include <optional>
#include <string>
#include <vector>

namespace pp::rundir {

/// How many letters must be added, dropped or changed to make `b` of `a`.
std::size_t edit_distance(const std::string& a, const std::string& b);

/// The candidate that `word` was most likely meant to be; nothing if none is near.
std::optional<std::string> find_nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace pp::rundir
