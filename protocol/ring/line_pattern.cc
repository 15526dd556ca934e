#include "protocol/ring/line_pattern.h"

#include <re2/re2.h>

#include "protocol/ring/plain_text.h"

namespace pp::ring {
namespace {

constexpr std::string_view kMeaningful = "\\.+*?()|[]{}^$";  // to RE2
/// For the states of one expression's automaton; with less, complicated ones become ten times slower.
constexpr std::int64_t kMaxMemory = 32 << 20;

re2::RE2::Options re2_options(LinePattern::Options options) {
    re2::RE2::Options chosen;
    chosen.set_case_sensitive(!options.ignore_case);
    chosen.set_never_nl(true);
    chosen.set_log_errors(false);
    chosen.set_max_mem(kMaxMemory);
    return chosen;
}

void refuse_unusable(const std::string& text) {
    if (text.size() > LinePattern::kLongest)
        throw BadPattern("has " + std::to_string(text.size()) + " bytes; at most " +
                         std::to_string(LinePattern::kLongest) + " are taken");
    if (text.find('\n') != std::string::npos) throw BadPattern("holds a newline: lines are looked at one by one");
}

/// " (at character 5)", if the part that RE2 complains of stands in one place alone.
std::string place_of(const std::string& part, const std::string& text) {
    const auto at = part.empty() || part == text ? std::string::npos : text.find(part);
    if (at == std::string::npos || text.find(part, at + 1) != std::string::npos) return {};
    return " (at character " + std::to_string(count_characters(std::string_view{text}.substr(0, at)) + 1) + ")";
}

[[noreturn]] void refuse_expression(const std::string& text, const re2::RE2::Options& options) {
    const re2::RE2 alone{text, options};  // without what was put before it, so that nobody is told of that
    throw BadPattern("is no regular expression (RE2 syntax): " + alone.error() + place_of(alone.error_arg(), text));
}

}  // namespace

LinePattern::LinePattern(const std::string& text, Options options) : ignores_case_{options.ignore_case} {
    refuse_unusable(text);
    if (options.literal || text.find_first_of(kMeaningful) == std::string::npos) literal_ = text;
    const auto chosen = re2_options(options);
    expression_ =
        std::make_unique<re2::RE2>("(?m)" + (options.literal ? re2::RE2::QuoteMeta(text) : text), chosen);
    if (!expression_->ok()) refuse_expression(text, chosen);
}

LinePattern::~LinePattern() = default;
LinePattern::LinePattern(LinePattern&&) noexcept = default;
LinePattern& LinePattern::operator=(LinePattern&&) noexcept = default;

bool LinePattern::matches(std::string_view line) const {
    return expression_->Match({line.data(), line.size()}, 0, line.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

std::optional<LinePattern::Match> LinePattern::find(std::string_view line) const {
    re2::StringPiece found;
    if (!expression_->Match({line.data(), line.size()}, 0, line.size(), re2::RE2::UNANCHORED, &found, 1))
        return std::nullopt;
    const auto begin = static_cast<std::size_t>(found.data() - line.data());
    return Match{begin, begin + found.size()};
}

}  // namespace pp::ring
