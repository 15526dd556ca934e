#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace pp::cli {

// Durations and times as people type them.

/// "5s", "2m", "1.5h", "300ms", "2d" or bare seconds; nothing for any other text, and for a negative one.
std::optional<std::chrono::milliseconds> find_duration(const std::string& text);

/// A wall clock time in nanoseconds: ISO 8601 (`2026-01-31`, `2026-01-31T12:00`, `…:05.123`, then `Z` or
/// `+02:00`; without either it is UTC), or a duration, meaning so long before `now_ns`. Nothing for any other
/// text.
std::optional<std::int64_t> find_time(const std::string& text, std::int64_t now_ns);

/// The same, or a Failure that says what would be right. `what` names the option.
std::chrono::milliseconds parse_duration(const std::string& what, const std::string& text);
/// `or_else`: what else would be right, for the Failure.
std::int64_t parse_time(const std::string& what, const std::string& text, std::int64_t now_ns,
                        const std::string& or_else = {});
/// A whole number from `least` to `most`.
std::int64_t parse_number(const std::string& what, const std::string& text, std::int64_t least,
                          std::int64_t most = INT64_MAX);

/// "2 h 5 min", "3 min 20 s", "4 s", "0.3 s".
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace pp::cli
