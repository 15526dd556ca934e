#include "protocol/ring/line_numbers.h"

#include <algorithm>
#include <span>

namespace pp::ring {
namespace {

constexpr std::size_t kRead = 64u << 10;
constexpr std::uint64_t kNear = 256u << 10;  // to count so many bytes is quicker than to look for a descriptor

}  // namespace

LineNumbers::LineNumbers(Reader& reader, std::uint32_t run, std::uint64_t run_begin)
    : reader_{reader}, run_{run}, run_begin_{run_begin}, buffer_(kRead) {
    base_ = find_base();
}

std::optional<std::uint64_t> LineNumbers::find_base() {
    if (run_begin_ == 0) return 0;
    const StateSnapshot& state = reader_.refresh();
    if (const auto lines = RunLines::find(state.run_lines[run_ % kHeadSlots], run_)) return lines;
    // A chunk of it that follows another one at once is its first.
    const auto found = reader_.chunks(run_begin_ - 1, run_begin_ + 1, 2);
    const bool begins = found.size() == 2 && found[1].first == run_begin_ && found[0].end == run_begin_;
    return begins && found[1].run == run_ ? std::optional{found[1].line} : std::nullopt;
}

std::optional<std::uint64_t> LineNumbers::before(std::uint64_t cursor) {
    if (!base_) return std::nullopt;
    const auto total = count(cursor);
    if (!total || *total < *base_) return std::nullopt;
    last_ = {cursor, *total};
    return *total - *base_;
}

std::optional<std::uint64_t> LineNumbers::count(std::uint64_t cursor) {
    const auto from = [&](const Count& known) -> std::optional<std::uint64_t> {
        const auto between = newlines(known.cursor, cursor);
        return between ? std::optional{known.newlines + *between} : std::nullopt;
    };
    if (last_ && cursor >= last_->cursor && cursor - last_->cursor <= kNear) {
        if (const auto counted = from(*last_)) return counted;
    }
    if (cursor == run_begin_) return base_;
    const auto found = reader_.chunks(cursor - 1, cursor, 1);
    if (found.empty()) return from({run_begin_, *base_});  // of the begin of a run the bytes are kept longer
    if (const auto counted = from({found.front().first, found.front().line})) return counted;
    const auto behind = known_behind(cursor);
    const auto between = behind ? newlines(cursor, behind->cursor) : std::nullopt;
    if (!between || *between > behind->newlines) return std::nullopt;
    return behind->newlines - *between;
}

/// Where the next chunk begins; behind the newest one, what the writer has counted.
std::optional<LineNumbers::Count> LineNumbers::known_behind(std::uint64_t cursor) {
    const auto next = reader_.chunks(cursor - 1, UINT64_MAX, 2);
    if (next.size() == 2) return Count{next[1].first, next[1].line};
    // Two words of the page: only if they are the same twice do they fit each other.
    const Count counted{reader_.state().lines_upto, reader_.state().lines};
    const StateSnapshot& again = reader_.refresh();
    const bool fits = again.lines_upto == counted.cursor && again.lines == counted.newlines;
    return fits && counted.cursor >= cursor ? std::optional{counted} : std::nullopt;
}

std::optional<std::uint64_t> LineNumbers::newlines(std::uint64_t begin, std::uint64_t end) {
    std::uint64_t found = 0;
    for (auto at = begin; at < end;) {
        if (at < block_begin_ || at >= block_end_) {
            const auto read = reader_.read(at, UINT64_MAX, buffer_);
            block_begin_ = read.next - read.size;
            block_end_ = read.next;
            if (read.lost > 0 || read.size == 0) return std::nullopt;
        }
        const auto stop = std::min(end, block_end_);
        const auto bytes = std::span{buffer_}.subspan(at - block_begin_, stop - at);
        found += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), std::byte{'\n'}));
        at = stop;
    }
    return found;
}

}  // namespace pp::ring
