#include "protocol/ring/lines.h"

#include <algorithm>
#include <utility>

namespace pp::ring {

void Lines::feed(const Piece& piece) {
    if (piece.lost > 0) finish();
    Line& line = unfinished_[lane_of(piece.stream)];
    auto rest = piece.text();
    auto cursor = piece.begin;
    while (!rest.empty()) {
        if (line.bytes.size() == kLongest && rest.front() != '\n') end_line(line, false);
        if (line.bytes.empty()) line = {{}, cursor, 0, piece.time_ns, piece.run, piece.stream, true};
        const auto size = std::min(rest.find('\n'), std::min(rest.size(), kLongest - line.bytes.size()));
        const bool ends = size < rest.size() && rest[size] == '\n';
        line.bytes += rest.substr(0, size);
        line.end = cursor + size + (ends ? 1 : 0);
        rest.remove_prefix(line.end - cursor);
        cursor = line.end;
        if (ends) end_line(line, true);
    }
}

void Lines::end_line(Line& line, bool finished) {
    line.finished = finished;
    sink_(std::exchange(line, {}));
}

void Lines::finish() {
    const auto next = [&] {
        return std::min_element(unfinished_.begin(), unfinished_.end(), [](const Line& a, const Line& b) {
            return !a.bytes.empty() && (b.bytes.empty() || a.end < b.end);
        });
    };
    for (auto line = next(); !line->bytes.empty(); line = next()) end_line(*line, false);
}

}  // namespace pp::ring
