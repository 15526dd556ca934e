#include "cli/time_input.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <utility>

#include "cli/failure.h"

namespace pp::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Unit {
    std::string_view name;
    double milliseconds;
};
constexpr std::array<Unit, 6> kUnits{
    {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};

/// A number of exactly `digits` digits at the front of `text`, which loses it.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

/// ".123" at the front, in nanoseconds.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    if (!take(text, '.') && !take(text, ',')) return 0;
    std::int64_t value = 0;
    std::int64_t weight = kSecond / 10;
    std::size_t digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), ++digits) {
        value += (text.front() - '0') * weight;
        weight /= 10;
    }
    return digits > 0 ? std::optional{value} : std::nullopt;
}

/// "Z", "+02:00", "-0530" or nothing, in seconds east of UTC.
std::optional<int> take_zone(std::string_view& text) {
    if (text.empty() || take(text, 'Z') || take(text, 'z')) return 0;
    const int sign = text.front() == '-' ? -1 : 1;
    if (!take(text, '+') && !take(text, '-')) return std::nullopt;
    const auto hours = take_digits(text, 2);
    take(text, ':');
    const auto minutes = text.empty() ? std::optional{0} : take_digits(text, 2);
    if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
    return sign * (*hours * 3600 + *minutes * 60);
}

/// "12:00", "12:00:05" or "12:00:05.123" into `calendar`; the fraction comes back.
std::optional<std::int64_t> take_clock(std::string_view& text, std::tm& calendar) {
    const auto hour = take_digits(text, 2);
    const bool colon = take(text, ':');
    const auto minute = take_digits(text, 2);
    if (!hour || !colon || !minute || *hour > 23 || *minute > 59) return std::nullopt;
    calendar.tm_hour = *hour;
    calendar.tm_min = *minute;
    if (!take(text, ':')) return 0;
    const auto second = take_digits(text, 2);
    if (!second || *second > 60) return std::nullopt;
    calendar.tm_sec = *second;
    return take_fraction(text);
}

std::optional<std::int64_t> find_iso_time(std::string_view text) {
    std::tm calendar{};
    const auto year = take_digits(text, 4);
    const bool dash = take(text, '-');
    const auto month = take_digits(text, 2);
    const bool second_dash = take(text, '-');
    const auto day = take_digits(text, 2);
    if (!year || !dash || !month || !second_dash || !day) return std::nullopt;
    calendar.tm_year = *year - 1900;
    calendar.tm_mon = *month - 1;
    calendar.tm_mday = *day;

    std::optional<std::int64_t> fraction = 0;
    if (take(text, 'T') || take(text, 't') || take(text, ' ')) fraction = take_clock(text, calendar);
    const auto zone = fraction ? take_zone(text) : std::nullopt;
    if (!zone || !text.empty()) return std::nullopt;
    const std::tm asked = calendar;
    const auto seconds = ::timegm(&calendar);
    if (calendar.tm_mon != asked.tm_mon || calendar.tm_mday != asked.tm_mday)
        return std::nullopt;                                // 31 February
    if (*year < 1970 || *year > 2200) return std::nullopt;  // what nanoseconds of 64 bits can say
    return (seconds - *zone) * kSecond + *fraction;
}

}  // namespace

std::optional<std::chrono::milliseconds> find_duration(const std::string& text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [unit_begin, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
    const std::string_view wanted{unit_begin, static_cast<std::size_t>(end - unit_begin)};
    for (const auto& unit : kUnits) {
        if (wanted != unit.name) continue;
        const double milliseconds = number * unit.milliseconds;
        if (milliseconds > 1e15) return std::nullopt;
        return std::chrono::milliseconds{static_cast<std::int64_t>(std::llround(milliseconds))};
    }
    return std::nullopt;
}

std::optional<std::int64_t> find_time(const std::string& text, std::int64_t now_ns) {
    if (const auto time = find_iso_time(text)) return time;
    std::string_view age = text;
    if (age.ends_with(" ago")) age.remove_suffix(4);
    const auto before = find_duration(std::string{age});
    if (!before || before->count() > now_ns / 1'000'000) return std::nullopt;
    return now_ns - before->count() * 1'000'000;
}

std::chrono::milliseconds parse_duration(const std::string& what, const std::string& text) {
    if (const auto duration = find_duration(text)) return *duration;
    throw Failure{Exit::usage,
                  what + " is '" + text + "'; it must be a duration such as 5s, 2m, 300ms or 1.5 (seconds)"};
}

std::int64_t parse_time(const std::string& what, const std::string& text, std::int64_t now_ns,
                        const std::string& or_else) {
    if (const auto time = find_time(text, now_ns)) return *time;
    throw Failure{Exit::usage,
                  what + " is '" + text +
                      "'; it must be a time such as 2026-01-31T12:00:00Z, or 5m for five minutes ago" +
                      or_else};
}

std::int64_t parse_number(const std::string& what, const std::string& text, std::int64_t least,
                          std::int64_t most) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && parsed == end && number >= least && number <= most) return number;
    throw Failure{Exit::usage,
                  what + " is '" + text + "'; it must be a whole number" +
                      (most != INT64_MAX    ? " from " + std::to_string(least) + " to " + std::to_string(most)
                       : least == INT64_MIN ? std::string{}
                                            : ", " + std::to_string(least) + " or more")};
}

std::string duration_text(std::chrono::milliseconds duration) {
    const auto seconds = duration.count() / 1000;
    const auto two = [](std::int64_t large, const char* large_unit, std::int64_t small,
                        const char* small_unit) {
        std::string text = std::to_string(large) + large_unit;
        if (small > 0) text += " " + std::to_string(small) + small_unit;
        return text;
    };
    if (seconds >= 86400) return two(seconds / 86400, " d", seconds % 86400 / 3600, " h");
    if (seconds >= 3600) return two(seconds / 3600, " h", seconds % 3600 / 60, " min");
    if (seconds >= 60) return two(seconds / 60, " min", seconds % 60, " s");
    if (seconds >= 10) return std::to_string(seconds) + " s";
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(duration.count()) / 1000);
    return text.data();
}

}  // namespace pp::cli
