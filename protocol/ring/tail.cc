#include "protocol/ring/tail.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pp::ring {
namespace {

constexpr std::size_t kChunksAtOnce = 512;

std::uint64_t count_newlines(std::span<const std::byte> bytes) {
    return static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), std::byte{'\n'}));
}

/// Walks wanted chunks from `end` down to what the ring still has, newest first, until `visit(chunk, newlines)` says stop.
/// `newlines` is nothing where the descriptors do not tell.
template <class Visit>
void walk_back(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end, Visit visit) {
    begin = std::max(begin, reader.bounds().begin);
    std::optional<std::uint64_t> lines_at_end;  // newlines before `end`
    // Two words of the page, which are stored one after the other: only if they are the same twice do they fit each other.
    const auto lines = reader.state().lines;
    const auto upto = reader.state().lines_upto;
    if (upto == end && reader.refresh().lines == lines && reader.state().lines_upto == upto) lines_at_end = lines;
    for (std::size_t block_size = 32; begin < end; block_size = std::min(block_size * 2, kChunksAtOnce)) {
        auto block = reader.last_chunks(begin, end, block_size);
        if (block.empty()) return;
        std::reverse(block.begin(), block.end());
        for (const Chunk& chunk : block) {
            std::optional<std::uint64_t> newlines;
            const bool whole = chunk.begin == chunk.first && chunk.end == end;
            if (whole && lines_at_end && *lines_at_end >= chunk.line && *lines_at_end - chunk.line <= end - chunk.begin)
                newlines = *lines_at_end - chunk.line;
            end = chunk.begin;
            lines_at_end = chunk.line;
            if (selection.matches(chunk) && !visit(chunk, newlines)) return;
        }
    }
}

/// Position behind the `wanted`th newline from the end; lowers `wanted` by those there are if they are fewer.
std::optional<std::uint64_t> find_newline_back(Reader& reader, const Chunk& chunk, std::uint64_t& wanted) {
    std::vector<std::byte> buffer(std::min<std::uint64_t>(Tail::kPieceSize, chunk.end - chunk.begin));
    std::vector<std::uint64_t> newlines;
    for (auto end = chunk.end; end > chunk.begin;) {
        const auto begin = end - std::min<std::uint64_t>(end - chunk.begin, buffer.size());
        newlines.clear();
        for (auto cursor = begin; cursor < end;) {  // once, unless bytes are missing in the middle
            const auto read = reader.read(cursor, end, buffer);
            const auto* from = buffer.data();
            const auto* const stop = from + read.size;
            while (const void* found = std::memchr(from, '\n', static_cast<std::size_t>(stop - from))) {
                from = static_cast<const std::byte*>(found) + 1;
                newlines.push_back(read.next - static_cast<std::uint64_t>(stop - from));
            }
            if (read.next == cursor) break;
            cursor = read.next;
        }
        if (newlines.size() >= wanted) return newlines[newlines.size() - wanted];
        wanted -= newlines.size();
        end = begin;
    }
    return std::nullopt;
}

bool ends_with_newline(Reader& reader, const Chunk& chunk) {
    std::byte last{};
    const auto read = reader.read(chunk.end - 1, chunk.end, {&last, 1});
    return read.size == 1 && last == std::byte{'\n'};
}

}  // namespace

std::optional<StreamChoice> find_stream_choice(std::string_view name) {
    if (name == "combined") return StreamChoice::combined;
    if (name == "stdout") return StreamChoice::out;
    if (name == "stderr") return StreamChoice::err;
    return std::nullopt;
}

const char* stream_name(Stream stream) {
    switch (stream) {
        case Stream::merged: return "combined";
        case Stream::out: return "stdout";
        case Stream::err: return "stderr";
        case Stream::note: return "pp";
    }
    return "combined";
}

bool Selection::matches(const Chunk& chunk) const {
    if (run && chunk.run != *run) return false;
    switch (stream) {
        case StreamChoice::combined: return true;
        case StreamChoice::out: return chunk.stream == Stream::out;
        case StreamChoice::err: return chunk.stream == Stream::err;
    }
    return false;
}

Regions::Regions(Reader& reader, Selection selection, std::uint64_t cursor, std::uint64_t until)
    : reader_{reader}, selection_{selection}, cursor_{cursor}, until_{until} {}

std::optional<Region> Regions::next() {
    while (true) {
        while (at_ < chunks_.size() && chunks_[at_].end <= cursor_) ++at_;
        if (at_ == chunks_.size()) {
            chunks_ = reader_.chunks(cursor_, until_, kChunksAtOnce);
            at_ = 0;
            const auto end = std::min(until_, reader_.state().tail);
            if (cursor_ >= end) return std::nullopt;
            if (chunks_.empty()) {
                if (auto region = undescribed(end)) return region;
                continue;
            }
        }
        const Chunk& chunk = chunks_[at_];
        if (cursor_ < chunk.begin) {
            if (auto region = undescribed(chunk.begin)) return region;
            continue;
        }
        const auto begin = std::exchange(cursor_, chunk.end);
        if (!selection_.matches(chunk)) continue;
        Region region{begin, chunk.end, chunk.time_ns, chunk.run, chunk.stream, false, {}};
        const bool followed = at_ + 1 < chunks_.size() && chunks_[at_ + 1].first == chunk.end;
        if (followed && begin == chunk.first && chunks_[at_ + 1].line >= chunk.line)
            region.newlines = chunks_[at_ + 1].line - chunk.line;
        return region;
    }
}

/// A stretch without descriptors: overwritten ones, and those that a full disk refused. A run's begin is known longer.
std::optional<Region> Regions::undescribed(std::uint64_t stop) {
    Region region;
    region.begin = cursor_;
    region.end = stop;
    const auto& heads = reader_.state().heads;
    for (const Head& head : heads) {
        if (cursor_ >= head.begin && cursor_ - head.begin < head.length) region.run = static_cast<std::uint32_t>(head.run);
    }
    if (selection_.run) {
        const auto run = *selection_.run;
        const Head& own = heads[run % kHeadSlots];
        const Head& later = heads[(run + 1) % kHeadSlots];
        const bool later_known = later.run == run + 1;
        if (later_known && later.begin > cursor_) region.end = std::min(region.end, later.begin);
        const bool before = own.run == run && cursor_ < own.begin;
        if (before) region.end = std::min(region.end, own.begin);
        cursor_ = region.end;
        if (before || (later_known && later.begin <= region.begin)) return std::nullopt;  // of another run
        region.untold = own.run != run;
        region.run = run;
    }
    cursor_ = region.end;
    region.untold = region.untold || selection_.stream != StreamChoice::combined;
    return region;
}

Tail::Tail(Reader& reader, Selection selection, std::uint64_t cursor, std::uint64_t until, std::size_t piece_size)
    : reader_{reader}, regions_{reader, selection, cursor, until}, until_{until}, piece_size_{piece_size} {}

/// Makes sure that what was read begins at `at_`, or as near behind it as there is. Returns what of the region is lost.
std::uint64_t Tail::fill() {
    if (at_ >= read_begin_ && at_ < read_end_) return 0;
    buffer_.resize(piece_size_);
    const auto read = reader_.read(at_, until_, buffer_);
    read_begin_ = read.next - read.size;
    read_end_ = read.next;
    return std::min(read_begin_, region_->end) - at_;
}

std::optional<Piece> Tail::next() {
    Piece piece;
    while (true) {
        if (!region_ || at_ >= region_->end) {
            region_ = regions_.next();
            if (!region_) break;
            at_ = region_->begin;
        }
        if (region_->untold) {
            piece.lost += region_->end - at_;
            at_ = region_->end;
            continue;
        }
        const auto lost = fill();
        piece.lost += lost;
        at_ += lost;
        if (at_ >= region_->end) continue;
        const auto end = std::min(region_->end, read_end_);
        piece.bytes = std::span{buffer_}.subspan(at_ - read_begin_, end - at_);
        piece.begin = std::exchange(at_, end);
        piece.time_ns = region_->time_ns;
        piece.run = region_->run;
        piece.stream = region_->stream;
        piece.cursor = end;
        return piece;
    }
    if (piece.lost == 0) return std::nullopt;
    piece.begin = piece.cursor = cursor();
    return piece;
}

LineStart find_line_start(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end,
                          std::uint64_t lines) {
    LineStart start{end, lines == 0};
    if (start.reached) return start;
    bool first = true;
    std::uint64_t wanted = std::min(lines, UINT64_MAX - 1);  // one more is counted where the last line is finished
    walk_back(reader, selection, begin, end, [&](const Chunk& chunk, std::optional<std::uint64_t> newlines) {
        if (std::exchange(first, false) && ends_with_newline(reader, chunk)) ++wanted;
        start.cursor = chunk.begin;
        if (newlines && *newlines < wanted) {
            wanted -= *newlines;
            return true;
        }
        const auto found = find_newline_back(reader, chunk, wanted);
        if (!found) return true;
        start = {*found, true};
        return false;
    });
    if (!start.reached && start.cursor <= begin) start.reached = true;
    return start;
}

std::uint64_t find_byte_start(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end,
                              std::uint64_t bytes) {
    auto start = end;
    walk_back(reader, selection, begin, end, [&](const Chunk& chunk, std::optional<std::uint64_t>) {
        const auto size = std::min(bytes, chunk.end - chunk.begin);
        bytes -= size;
        start = chunk.end - size;
        return bytes > 0;
    });
    return start;
}

Measure measure(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end) {
    Measure measure;
    Regions regions{reader, selection, begin, end};
    std::vector<std::byte> buffer(Tail::kPieceSize);
    while (const auto region = regions.next()) {
        if (region->untold) {
            measure.lost += region->end - region->begin;
            continue;
        }
        const auto missing = reader.missing(region->begin, region->end);
        measure.lost += missing;
        if (missing == 0 && region->newlines) {
            measure.newlines += *region->newlines;
            continue;
        }
        if (missing == region->end - region->begin) continue;
        for (auto cursor = region->begin; cursor < region->end;) {
            const auto read = reader.read(cursor, region->end, buffer);
            measure.newlines += count_newlines(std::span{buffer}.first(read.size));
            cursor = read.next;
        }
    }
    return measure;
}

}  // namespace pp::ring
