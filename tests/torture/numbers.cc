#include "tests/torture/numbers.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace pp::torture {
namespace {

constexpr std::size_t kDigits = 15;  // of a number, behind the letter
constexpr std::size_t kLongest = 65;
constexpr std::size_t kMostFaults = 8;

constexpr auto kHexPairs = [] {
    std::array<char, 512> pairs{};
    for (std::size_t i = 0; i < 256; ++i) {
        pairs[2 * i] = "0123456789abcdef"[i >> 4];
        pairs[2 * i + 1] = "0123456789abcdef"[i & 15];
    }
    return pairs;
}();

void put_hex(std::uint64_t value, char* into) {
    for (int byte = 7; byte >= 0; --byte, into += 2)
        std::memcpy(into, &kHexPairs[2 * ((value >> (8 * byte)) & 255)], 2);
}

/// splitmix64: no digit of one record tells of the next.
std::uint64_t mixed(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

/// Letter, 15 digits of the number, 47 digits that follow from both, and the line's end.
void put_record(const Numbers& numbers, std::uint64_t number, char* into) {
    std::uint64_t word = mixed(number ^ (static_cast<std::uint64_t>(numbers.letter) << 56));
    put_hex(number, into);
    into[0] = numbers.letter;
    put_hex(word, into + 16);
    put_hex(word = mixed(word), into + 32);
    put_hex(mixed(word), into + 48);
    into[63] = numbers.cooked ? '\r' : '\n';
    if (numbers.cooked) into[64] = '\n';
}

std::string readable(std::span<const char> bytes) {
    std::string text;
    for (const char c : bytes.first(std::min<std::size_t>(bytes.size(), 80))) {
        if (c == '\n')
            text += "\\n";
        else if (c == '\r')
            text += "\\r";
        else
            text += c >= ' ' && c <= '~' ? c : '?';
    }
    return text;
}

}  // namespace

void Numbers::fill(std::uint64_t place, std::span<char> into) const {
    const auto size = record_size();
    while (!into.empty()) {
        const auto at = static_cast<std::size_t>(place % size);
        const auto count = std::min(size - at, into.size());
        if (count == size) {
            put_record(*this, place / size, into.data());
        } else {
            std::array<char, kLongest> record;
            put_record(*this, place / size, record.data());
            std::memcpy(into.data(), record.data() + at, count);
        }
        place += count;
        into = into.subspan(count);
    }
}

std::int64_t Numbers::number_in(std::span<const char> bytes) const {
    if (bytes.size() < record_size() || bytes[0] != letter) return -1;
    std::int64_t number = 0;
    for (const char digit : bytes.subspan(1, kDigits)) {
        const bool is_letter = digit >= 'a' && digit <= 'f';
        if (!is_letter && (digit < '0' || digit > '9')) return -1;
        number = number * 16 + (is_letter ? digit - 'a' + 10 : digit - '0');
    }
    std::array<char, kLongest> record;
    put_record(*this, static_cast<std::uint64_t>(number), record.data());
    return std::memcmp(record.data(), bytes.data(), record_size()) == 0 ? number : -1;
}

void NumberCheck::take(std::span<const char> bytes) {
    taken_ += bytes.size();
    while (!bytes.empty()) {
        const auto same = first_difference(bytes);
        place_ += same;
        bytes = bytes.subspan(same);
        if (bytes.empty()) return;
        const auto whole_at = next_record(bytes);
        note(bytes, whole_at);
        const auto number = numbers_.number_in(bytes.subspan(whole_at));
        const auto expected = place_ + whole_at;
        place_ = number < 0 ? expected : static_cast<std::uint64_t>(number) * numbers_.record_size();
        if (place_ > expected) lost_ += place_ - expected;
        if (place_ < expected) doubled_ += expected - place_;
        bytes = bytes.subspan(whole_at);
    }
}

/// How many bytes are as they should be.
std::size_t NumberCheck::first_difference(std::span<const char> bytes) const {
    std::array<char, 64 << 10> expected;
    for (std::size_t done = 0; done < bytes.size();) {
        const auto part = bytes.subspan(done, std::min(expected.size(), bytes.size() - done));
        numbers_.fill(place_ + done, std::span{expected}.first(part.size()));
        if (std::memcmp(expected.data(), part.data(), part.size()) != 0) {
            const auto differs = std::mismatch(part.begin(), part.end(), expected.begin());
            return done + static_cast<std::size_t>(differs.first - part.begin());
        }
        done += part.size();
    }
    return bytes.size();
}

/// Where the next whole record begins; the end, if there is none.
std::size_t NumberCheck::next_record(std::span<const char> bytes) const {
    for (std::size_t at = 0; at + numbers_.record_size() <= bytes.size(); ++at) {
        if (numbers_.number_in(bytes.subspan(at)) >= 0) return at;
    }
    return bytes.size();
}

void NumberCheck::note(std::span<const char> bytes, std::size_t whole_at) {
    if (faults_.size() == kMostFaults) return;
    std::array<char, kLongest> expected;
    numbers_.fill(place_, std::span{expected});
    const auto number = numbers_.number_in(bytes.subspan(whole_at));
    faults_.push_back("stream " + std::string{numbers_.letter} + ": at byte " + std::to_string(place_) + " (record " +
                      std::to_string(place_ / numbers_.record_size()) + ", byte " +
                      std::to_string(place_ % numbers_.record_size()) + ") should be \"" + readable(expected) +
                      "\", and is \"" + readable(bytes) + "\"; " +
                      (number < 0 ? "no whole record follows"
                                  : "after " + std::to_string(whole_at) + " bytes comes record " + std::to_string(number)));
}

}  // namespace pp::torture
