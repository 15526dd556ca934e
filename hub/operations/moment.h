#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pp::hub {

/// A moment as callers write it, in nanoseconds of the wall clock: ISO 8601 with date (UTC unless it says
/// otherwise), or how long ago: "90", "90s", "5m", "2h", "1d". Nothing for any other text.
std::optional<std::int64_t> find_moment(const std::string& text, std::int64_t now_ns);

/// "16M" → bytes: digits with K, M or G (powers of 1024), an optional B or iB. Nothing for any other text.
std::optional<std::uint64_t> find_size(const std::string& text);

}  // namespace pp::hub
