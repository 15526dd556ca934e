#include "hub/operations/moment.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <ctime>

namespace pp::hub {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// Reads text from left to right.
struct Scanner {
    std::string rest;

    std::optional<int> number(std::size_t digits) {
        int value = 0;
        if (rest.size() < digits) return std::nullopt;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, value);
        if (error != std::errc{} || end != rest.data() + digits || rest[0] == '-') return std::nullopt;
        rest.erase(0, digits);
        return value;
    }
    bool take(char c) {
        if (rest.empty() || rest[0] != c) return false;
        rest.erase(0, 1);
        return true;
    }
};

std::optional<std::int64_t> find_age(const std::string& text) {
    char* end = nullptr;
    if (text.empty() || (text[0] < '0' || text[0] > '9')) return std::nullopt;
    const double amount = std::strtod(text.c_str(), &end);
    const std::string unit = end;
    double seconds = 0;
    if (unit.empty() || unit == "s") seconds = 1;
    if (unit == "ms") seconds = 0.001;
    if (unit == "m") seconds = 60;
    if (unit == "h") seconds = 3600;
    if (unit == "d") seconds = 86400;
    const double age = amount * seconds;
    if (seconds == 0 || !std::isfinite(age) || age > 4e9) return std::nullopt;
    return static_cast<std::int64_t>(age * static_cast<double>(kSecond));
}

/// ".123" → nanoseconds.
std::optional<std::int64_t> take_fraction(Scanner& scanner) {
    if (!scanner.take('.') && !scanner.take(',')) return 0;
    std::int64_t fraction = 0;
    std::int64_t unit = kSecond / 10;
    std::size_t digits = 0;
    while (!scanner.rest.empty() && scanner.rest[0] >= '0' && scanner.rest[0] <= '9') {
        fraction += (scanner.rest[0] - '0') * unit;
        unit /= 10;
        scanner.rest.erase(0, 1);
        ++digits;
    }
    return digits > 0 ? std::optional{fraction} : std::nullopt;
}

/// "Z", "+02:00", "-0530" or nothing → seconds east of UTC.
std::optional<std::int64_t> take_zone(Scanner& scanner) {
    if (scanner.rest.empty()) return 0;
    if (scanner.take('Z') || scanner.take('z')) return 0;
    const bool west = scanner.take('-');
    if (!west && !scanner.take('+')) return std::nullopt;
    const auto hours = scanner.number(2);
    scanner.take(':');
    const auto minutes = scanner.rest.empty() ? std::optional{0} : scanner.number(2);
    if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
    return (west ? -1 : 1) * (*hours * 3600 + *minutes * 60);
}

/// "T10:00", "T10:00:00.123": seconds and nanoseconds of the day.
bool take_time(Scanner& scanner, std::tm& time, std::int64_t& fraction) {
    const auto hours = scanner.number(2);
    if (!hours || *hours > 23 || !scanner.take(':')) return false;
    const auto minutes = scanner.number(2);
    if (!minutes || *minutes > 59) return false;
    time.tm_hour = *hours;
    time.tm_min = *minutes;
    if (!scanner.take(':')) return true;
    const auto seconds = scanner.number(2);
    const auto part = seconds ? take_fraction(scanner) : std::nullopt;
    if (!seconds || *seconds > 60 || !part) return false;
    time.tm_sec = *seconds;
    fraction = *part;
    return true;
}

std::optional<std::int64_t> find_iso(const std::string& text) {
    Scanner scanner{text};
    const auto year = scanner.number(4);
    if (!year || !scanner.take('-')) return std::nullopt;
    const auto month = scanner.number(2);
    if (!month || *month < 1 || *month > 12 || !scanner.take('-')) return std::nullopt;
    const auto day = scanner.number(2);
    if (!day || *day < 1 || *day > 31) return std::nullopt;
    std::tm time{};
    time.tm_year = *year - 1900;
    time.tm_mon = *month - 1;
    time.tm_mday = *day;
    std::int64_t fraction = 0;
    const bool has_time = scanner.take('T') || scanner.take('t') || scanner.take(' ');
    if (has_time && !take_time(scanner, time, fraction)) return std::nullopt;
    const auto zone = take_zone(scanner);
    if (!zone || !scanner.rest.empty()) return std::nullopt;
    const std::time_t seconds = ::timegm(&time);
    if (time.tm_mday != *day) return std::nullopt;  // 31 February
    return (seconds - *zone) * kSecond + fraction;
}

}  // namespace

std::optional<std::int64_t> find_moment(const std::string& text, std::int64_t now_ns) {
    if (const auto age = find_age(text)) return now_ns - *age;
    return find_iso(text);
}

std::optional<std::uint64_t> find_size(const std::string& text) {
    std::uint64_t amount = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
    if (error != std::errc{}) return std::nullopt;
    std::string unit(end, text.data() + text.size());
    if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
    if (unit.ends_with("B")) unit.pop_back();
    unsigned shift = 64;
    if (unit.empty()) shift = 0;
    if (unit == "K" || unit == "k") shift = 10;
    if (unit == "M" || unit == "m") shift = 20;
    if (unit == "G" || unit == "g") shift = 30;
    if (shift == 64 || amount > (std::uint64_t{1} << 40)) return std::nullopt;
    return amount << shift;
}

}  // namespace pp::hub
