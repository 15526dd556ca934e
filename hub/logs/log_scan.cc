#include "hub/logs/log_scan.h"

#include <algorithm>
#include <cstring>

namespace pp::hub {
namespace {

constexpr std::size_t kPiece = 256u << 10;  // at once from the ring: it still lies in the cache when it is looked at
constexpr std::size_t kInPlace = 4u << 10;  // smaller pieces are gathered first
constexpr std::uint64_t kLookBack = 64u << 10;

std::size_t size_of_whole_lines(std::string_view text) {
    const void* const last = ::memrchr(text.data(), '\n', text.size());
    return last == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(last) - text.data()) + 1;
}

}  // namespace

void LogScan::Lane::append(std::string_view bytes, std::uint64_t cursor) {
    if (bytes.empty()) return;
    if (segments.empty() || cursor_of(text.size() - 1) + 1 != cursor) segments.push_back({text.size(), cursor});
    text += bytes;
}

std::uint64_t LogScan::Lane::cursor_of(std::size_t offset) const {
    const auto behind = std::upper_bound(segments.begin(), segments.end(), offset,
                                         [](std::size_t wanted, const Segment& segment) { return wanted < segment.offset; });
    const Segment& segment = *std::prev(behind);
    return segment.cursor + (offset - segment.offset);
}

void LogScan::Lane::remove_front(std::size_t count) {
    if (count == 0) return;
    if (count == text.size()) {
        text.clear();
        segments.clear();
        return;
    }
    const auto first = cursor_of(count);
    std::erase_if(segments, [&](const Segment& segment) { return segment.offset <= count; });
    for (Segment& segment : segments) segment.offset -= count;
    segments.insert(segments.begin(), {0, first});
    text.erase(0, count);
}

LogScan::LogScan(ring::Reader& reader, LineMatcher& matcher, const Stretch& stretch)
    : matcher_{matcher},
      tail_{reader, stretch.selection, stretch.from, stretch.until, kPiece},
      reader_{reader},
      cursor_{stretch.from},
      until_{stretch.until} {
    for (Lane& lane : lanes_) lane.partial = !stretch.begins_line;
    if (stretch.from > stretch.begin) look_back(stretch);
}

/// What of the first lines lies before the stretch.
void LogScan::look_back(const Stretch& stretch) {
    const auto begin = std::max(stretch.begin, stretch.from - std::min(stretch.from, kLookBack));
    for (Lane& lane : lanes_) lane.partial = lane.partial || begin > stretch.begin;
    ring::Tail before{reader_, stretch.selection, begin, stretch.from};
    while (const auto piece = before.next()) {
        if (piece->lost > 0) {
            for (Lane& lane : lanes_) {
                lane.remove_front(lane.text.size());
                lane.partial = true;
            }
        }
        Lane& lane = lanes_[ring::lane_of(piece->stream)];
        lane.append(piece->text(), piece->begin);
        const auto ended = size_of_whole_lines(lane.text);
        lane.remove_front(ended);
        lane.partial = lane.partial && ended == 0;
    }
}

bool LogScan::step(std::vector<Hit>& hits) {
    const auto first_new = static_cast<std::ptrdiff_t>(hits.size());
    bool more = true;
    for (std::size_t taken = 0; more && taken < kPiece;) {
        const auto piece = tail_.next();
        more = piece.has_value();
        if (!more) break;
        take(*piece, hits);
        taken += std::max<std::size_t>(piece->bytes.size(), 1);
    }
    search_whole_lines(hits);
    if (!more) search_rest(hits);
    cursor_ = more ? tail_.cursor() : std::max(cursor_, until_);
    std::sort(hits.begin() + first_new, hits.end(), [](const Hit& a, const Hit& b) { return a.end < b.end; });
    return more;
}

void LogScan::take(const ring::Piece& piece, std::vector<Hit>& hits) {
    if (piece.lost > 0) {
        lost_ += piece.lost;
        search_whole_lines(hits);
        search_rest(hits);
        for (Lane& lane : lanes_) lane.partial = true;
    }
    Lane& lane = lanes_[ring::lane_of(piece.stream)];
    if (piece.bytes.size() < kInPlace)
        lane.append(piece.text(), piece.begin);
    else
        take_in_place(piece.text(), piece.begin, lane, hits);
    cut_overlong(lane, hits);
}

/// The line that has begun is completed; what follows need not be copied.
void LogScan::take_in_place(std::string_view text, std::uint64_t cursor, Lane& lane, std::vector<Hit>& hits) {
    const auto whole = size_of_whole_lines(text);
    auto at = lane.text.empty() || whole == 0 ? 0 : text.find('\n') + 1;
    if (at > 0) {
        lane.append(text.substr(0, at), cursor);
        cut_overlong(lane, hits);
        search_begun(lane, lane.text.size(), hits);
    }
    if (whole > at) {
        spans_.clear();
        matcher_.find(text.substr(at, whole - at), spans_);
        for (const LineSpan& span : spans_)
            hits.push_back({cursor + at + span.begin, cursor + at + span.end, true, lane.partial && span.begin == 0});
        lane.partial = false;
        at = whole;
    }
    lane.append(text.substr(at), cursor + at);
}

/// A line that is too long is looked at in parts, at the same places as ring::Lines cuts it.
void LogScan::cut_overlong(Lane& lane, std::vector<Hit>& hits) {
    while (lane.text.size() > ring::Lines::kLongest) {
        const auto whole = size_of_whole_lines(std::string_view{lane.text}.substr(0, ring::Lines::kLongest + 1));
        search_begun(lane, whole > 0 ? whole : ring::Lines::kLongest, hits);
        lane.partial = whole == 0;
    }
}

/// Looks through so many of a lane's bytes, which are lines, and drops them.
void LogScan::search_begun(Lane& lane, std::size_t size, std::vector<Hit>& hits) {
    if (size == 0) return;
    const std::string_view block = std::string_view{lane.text}.substr(0, size);
    spans_.clear();
    matcher_.find(block, spans_);
    for (const LineSpan& span : spans_)
        hits.push_back({lane.cursor_of(span.begin), lane.cursor_of(span.end - 1) + 1, block[span.end - 1] == '\n',
                        lane.partial && span.begin == 0});
    lane.remove_front(size);
    lane.partial = false;
}

void LogScan::search_whole_lines(std::vector<Hit>& hits) {
    for (Lane& lane : lanes_) search_begun(lane, size_of_whole_lines(lane.text), hits);
}

void LogScan::search_rest(std::vector<Hit>& hits) {
    for (Lane& lane : lanes_) search_begun(lane, lane.text.size(), hits);
}

}  // namespace pp::hub
