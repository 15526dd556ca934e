#include "hub/logs/found_page.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace pp::hub {

std::size_t characters_of(const std::vector<FoundLine>& lines) {
    std::size_t sum = 0;
    for (const FoundLine& line : lines) sum += ring::count_characters(line.text) + kLineOverhead;
    return sum;
}

FoundPage::FoundPage(Excerpts& excerpts, Limits limits, std::uint64_t after)
    : excerpts_{excerpts}, limits_{limits}, end_{after}, last_match_{after}, full_{limits.matches == 0} {}

void FoundPage::reopen(Limits more) {
    limits_.matches = shown_ + std::min(more.matches, UINT64_MAX - shown_);
    limits_.characters = characters_ + std::min(more.characters, SIZE_MAX - characters_);
    full_ = false;
}

bool FoundPage::add(const Hit& hit) {
    if (full_) return false;
    if (hit.end <= end_) return true;  // shown as a neighbour
    full_ = shown_ >= limits_.matches;
    if (full_) return false;
    auto excerpt = excerpts_.read(hit, end_);
    const auto has_room = [&] { return characters_ + characters_of(excerpt.lines) <= limits_.characters; };
    if (!has_room()) {
        full_ = true;
        if (!lines_.empty()) return false;
        std::erase_if(excerpt.lines, [&](const FoundLine& line) { return line.end != hit.end; });
    }
    append(std::move(excerpt));
    return true;
}

void FoundPage::append(Excerpt excerpt) {
    if (excerpt.lines.empty()) return;
    excerpt.lines.front().begins_group = !lines_.empty() && !excerpt.joined;
    characters_ += characters_of(excerpt.lines);
    end_ = excerpt.lines.back().end;
    for (FoundLine& line : excerpt.lines) {
        if (line.match) {
            ++shown_;
            last_match_ = line.end;
        }
        lines_.push_back(std::move(line));
    }
}

}  // namespace pp::hub
