#include "hub/logs/line_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hub/logs/required_atoms.h"

namespace pp::hub {
namespace {

/// The line in which a place lies; a newline belongs to the line that it ends. No line begins before `from`.
LineSpan line_around(std::string_view text, std::size_t from, std::size_t place) {
    const void* const before = ::memrchr(text.data() + from, '\n', place - from);
    const void* const behind = std::memchr(text.data() + place, '\n', text.size() - place);
    const auto position = [&](const void* at) { return static_cast<std::size_t>(static_cast<const char*>(at) - text.data()); };
    return {before == nullptr ? from : position(before) + 1, behind == nullptr ? text.size() : position(behind) + 1};
}

std::string_view without_newline(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    return line;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Whether it means another thing where there are several lines: \A and \z are then the text's ends, \C matches a newline, and
/// `^` and `$` do as they are told. Escaped ones count too: that is slower and not wrong.
bool looks_beyond_lines(const std::string& expression) {
    for (const auto* word : {"\\A", "\\z", "\\C"}) {
        if (expression.find(word) != std::string::npos) return true;
    }
    for (auto at = expression.find("(?"); at != std::string::npos; at = expression.find("(?", at + 1)) {
        const auto flags = expression.substr(at + 2, expression.find_first_of(":)", at) - at - 2);
        const auto off = flags.find('-');
        if (off != std::string::npos && flags.find('m', off) != std::string::npos) return true;
    }
    return false;
}

std::vector<Atom> atoms_for(const ring::LinePattern& pattern) {
    const auto& literal = pattern.literal();
    if (!literal) return required_atoms(pattern);
    // Of letters that are not ASCII, the other case may be.
    if (pattern.ignores_case() && !is_ascii(*literal)) return required_atoms(pattern);
    return {Atom{*literal, pattern.ignores_case()}};
}

}  // namespace

LineMatcher::LineMatcher(const ring::LinePattern& pattern, Instructions instructions)
    : pattern_{pattern}, instructions_{instructions}, plain_text_{{false, SIZE_MAX / 2}} {
    if (auto atoms = atoms_for(pattern); !atoms.empty()) finder_.emplace(std::move(atoms), instructions);
    way_ = way_for(pattern, finder_.has_value());
}

LineMatcher::Way LineMatcher::way_for(const ring::LinePattern& pattern, bool has_atoms) {
    if (pattern.literal() && (!pattern.ignores_case() || is_ascii(*pattern.literal()))) return Way::literal;
    if (has_atoms) return Way::atoms;
    return looks_beyond_lines(pattern.expression().pattern()) ? Way::each : Way::block;
}

void LineMatcher::find(std::string_view block, std::vector<LineSpan>& lines) {
    const auto first_new = static_cast<std::ptrdiff_t>(lines.size());
    for (std::size_t at = 0; at < block.size();) {
        const auto other = at + find_unplain(block.substr(at), instructions_);
        const auto span = other < block.size() ? line_around(block, at, other) : LineSpan{block.size(), block.size()};
        find_in_plain(block.substr(0, span.begin), at, lines);
        if (other < block.size()) take_other(block.substr(span.begin, span.end - span.begin), span, lines);
        at = span.end;
    }
    if (views_.empty()) return;
    find_in_views(lines);
    std::sort(lines.begin() + first_new, lines.end(), [](const LineSpan& a, const LineSpan& b) { return a.begin < b.begin; });
}

/// A line whose view is another text than its bytes, perhaps.
void LineMatcher::take_other(std::string_view line, LineSpan span, std::vector<LineSpan>& lines) {
    view_.clear();
    plain_text_.feed(without_newline(line), view_);
    plain_text_.finish(view_);
    if (!is_ascii(view_)) {
        if (pattern_.matches(view_)) lines.push_back(span);
        return;
    }
    viewed_.push_back({views_.size(), span});
    views_ += view_;
    views_ += '\n';
}

void LineMatcher::find_in_views(std::vector<LineSpan>& lines) {
    found_in_views_.clear();
    find_in_plain(views_, 0, found_in_views_);
    auto viewed = viewed_.begin();
    for (const LineSpan& found : found_in_views_) {
        viewed = std::lower_bound(viewed, viewed_.end(), found.begin,
                                  [](const View& view, std::size_t begin) { return view.begin < begin; });
        lines.push_back(viewed->line);
    }
    views_.clear();
    viewed_.clear();
}

void LineMatcher::find_in_plain(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const {
    switch (way_) {
        case Way::literal:
        case Way::atoms: return find_by_atoms(text, from, lines);
        case Way::block: return find_in_block(text, from, lines);
        case Way::each: return find_in_each(text, from, lines);
    }
}

void LineMatcher::find_by_atoms(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const {
    while (from < text.size()) {
        const auto place = from + finder_->find(text.substr(from));
        if (place >= text.size()) return;
        const auto span = line_around(text, from, place);
        from = span.end;
        if (way_ == Way::literal || pattern_.matches(without_newline(text.substr(span.begin, span.end - span.begin))))
            lines.push_back(span);
    }
}

void LineMatcher::find_in_block(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const {
    re2::StringPiece found;
    while (from < text.size() && pattern_.expression().Match({text.data(), text.size()}, from, text.size(),
                                                             re2::RE2::UNANCHORED, &found, 1)) {
        const auto place = static_cast<std::size_t>(found.data() - text.data());
        if (place == text.size() && text.ends_with('\n')) return;  // behind the last line
        const auto span = line_around(text, from, place);
        lines.push_back(span);
        from = span.end;
    }
}

void LineMatcher::find_in_each(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const {
    while (from < text.size()) {
        const auto span = line_around(text, from, from);
        if (pattern_.matches(without_newline(text.substr(span.begin, span.end - span.begin)))) lines.push_back(span);
        from = span.end;
    }
}

}  // namespace pp::hub
