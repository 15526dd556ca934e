#include "protocol/ring/query.h"

#include <algorithm>
#include <set>
#include <utility>

#include "protocol/ring/plain_text.h"

namespace pp::ring {
namespace {

/// Raw bytes that one answer looks at: a log that folds to nothing must not hold its reader up for a gigabyte.
constexpr std::uint64_t kMaxExamined = 2u << 20;
/// How far before a cursor a sequence or character may have begun that goes on behind it.
constexpr std::uint64_t kLookBack = 256;

std::uint32_t newest_run(Reader& reader) {
    const StateSnapshot& state = reader.refresh();
    std::uint64_t newest = state.lifecycle.run;
    for (const Head& head : state.heads) newest = std::max(newest, head.run);
    for (const Chunk& chunk : reader.last_chunks(0, UINT64_MAX, 1)) newest = std::max<std::uint64_t>(newest, chunk.run);
    return static_cast<std::uint32_t>(newest);
}

std::string list_of(const std::vector<std::uint32_t>& runs) {
    if (runs.empty()) return "it has had no run yet";
    std::string list = runs.size() == 1 ? "there is run " : "there are runs ";
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto first = i;
        while (i + 1 < runs.size() && runs[i + 1] == runs[i] + 1) ++i;
        list += (first == 0 ? "" : ", ") + std::to_string(runs[first]);
        if (i > first) list += (i == first + 1 ? ", " : " to ") + std::to_string(runs[i]);
    }
    return list;
}

[[noreturn]] void refuse_run(Reader& reader, std::int64_t run) {
    auto runs = known_runs(reader);
    const std::string what = "of run " + std::to_string(run) + " nothing is known; " + list_of(runs);
    throw QueryRefused{QueryRefused::Why::unknown_run, what, std::move(runs)};
}

[[noreturn]] void refuse_streams(std::uint32_t run) {
    throw QueryRefused{QueryRefused::Why::merged_run,
                       "run " + std::to_string(run) +
                           " was merged: stdout and stderr came over one pipe or terminal; ask for combined"};
}

/// The first chunk that the child itself wrote.
std::optional<Chunk> find_child_chunk(Reader& reader, std::optional<std::uint32_t> run, std::uint64_t begin,
                                      std::uint64_t end) {
    Regions regions{reader, {run, StreamChoice::combined}, begin, end};
    while (const auto region = regions.next()) {
        if (region->time_ns != 0 && region->stream != Stream::note)
            return Chunk{region->begin, region->end, region->time_ns, 0, region->run, region->stream, 0, 0};
    }
    return std::nullopt;
}

/// A line as it is shown, and whence it comes. The unfinished one at the end has no newline.
struct Line {
    std::string text;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool finished = true;
    bool mark = false;  ///< said by us
    std::uint64_t count = 1;
    std::size_t characters = 0;  ///< of `text`
};

std::size_t shown_characters(const Line& line) {
    if (line.count == 1) return line.characters + (line.finished ? 1 : 0);
    return line.characters + (line.text.empty() ? 0 : 1) + 3 + std::to_string(line.count).size() + 1;  // folded_line
}

std::string shown(const std::vector<Line>& lines) {
    std::string text;
    for (const Line& line : lines) {
        text += folded_line(line.text, line.count);
        if (line.finished) text += '\n';
    }
    return text;
}

/// Reads a stretch into lines, forward, until a budget is used up.
class LineReader {
  public:
    struct Limits {
        std::size_t characters = kMaxCharacters;
        std::uint64_t lines = UINT64_MAX;
    };

    LineReader(Reader& reader, Selection selection, bool raw, std::uint64_t begin, std::uint64_t end, Limits limits)
        : reader_{reader}, selection_{selection}, raw_{raw}, end_{end}, limits_{limits}, next_{begin}, line_begin_{begin} {
        full_ = limits.lines == 0;
        if (!raw) look_back(plain_, begin);
        replaced_before_ = plain_.replaced_bytes();
        run(begin);
    }

    std::vector<Line> lines;
    std::uint64_t lost = 0;
    std::uint32_t last_run = 0;
    bool merged = false;

    /// All before it is in `lines`, lost, or not wanted.
    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] bool reached_end() const { return next_ >= end_; }
    [[nodiscard]] std::uint64_t replaced_bytes() const { return replaced_; }
    [[nodiscard]] std::size_t characters() const { return used_; }

  private:
    /// What began before the cursor, and was swallowed or held back there, goes on here. Its text was shown there.
    void look_back(PlainText& plain, std::uint64_t begin) {
        Tail before{reader_, selection_, begin - std::min(begin, kLookBack), begin};
        std::string ignored;
        while (const auto piece = before.next()) plain.feed(piece->text(), ignored, lane_of(piece->stream));
        plain.flush(ignored);
    }

    void run(std::uint64_t begin) {
        Tail tail{reader_, selection_, begin, end_};
        std::uint64_t examined = 0;
        while (!full_) {
            const auto piece = tail.next();
            if (!piece) break;
            if (piece->lost > 0) take_loss(*piece);
            if (full_ || piece->bytes.empty()) continue;
            if (piece->run != 0) last_run = piece->run;
            merged = merged || (piece->stream == Stream::merged && piece->time_ns != 0);
            take(*piece);
            examined += piece->bytes.size();
            if (examined < kMaxExamined || full_) continue;
            end_line(piece->cursor, false);
            full_ = true;
        }
        if (full_) return;
        const auto end = std::max(tail.cursor(), begin);
        const auto& life = reader_.state().lifecycle;
        if (life.state == LifeState::finished && life.drained != 0) {  // nothing will complete a character any more
            plain_.finish(line_text_);
            begun_ = begun_ || !line_text_.empty();
        }
        end_line(end, false);
        if (!full_) next_ = end;
    }

    void take(const Piece& piece) {
        auto text = piece.text();
        auto cursor = piece.begin;
        while (!text.empty() && !full_) {
            const auto newline = text.find('\n');
            const auto size = newline == std::string_view::npos ? text.size() : newline + 1;
            if (raw_)
                line_text_ += text.substr(0, size);
            else
                plain_.feed(text.substr(0, size), line_text_, lane_of(piece.stream));
            begun_ = true;
            text.remove_prefix(size);
            cursor += size;
            if (newline != std::string_view::npos)
                end_line(cursor, true);
            else if ((line_text_.size() + plain_.held().size()) / 4 > limits_.characters)
                give_up_line();
        }
    }

    void take_loss(const Piece& piece) {
        end_line(piece.begin - piece.lost, !raw_);
        lost += piece.lost;
        if (full_) return;
        plain_.reset();
        if (!lines.empty() && !raw_) {
            Line mark;
            mark.text = "… " + std::to_string(piece.lost) + " bytes lost before cursor " + std::to_string(piece.begin) + " …";
            mark.begin = mark.end = piece.begin;
            mark.mark = true;
            mark.characters = count_characters(mark.text);
            used_ += mark.characters + 1;
            lines.push_back(std::move(mark));
        }
        next_ = line_begin_ = piece.begin;
    }

    /// The current line ends before `cursor`, with a newline or because there is no more of it.
    void end_line(std::uint64_t cursor, bool finished) {
        if (!begun_) {
            line_begin_ = cursor;
            return;
        }
        plain_.flush(line_text_);
        Line line;
        line.text = std::exchange(line_text_, {});
        if (line.text.ends_with('\n')) line.text.pop_back();
        line.begin = line_begin_;
        line.end = cursor;
        line.finished = finished;
        line.characters = raw_ ? line.text.size() : count_characters(line.text);
        if (!finished && line.text.empty()) {  // an unfinished sequence, say: there is nothing to show yet
            next_ = line_begin_ = cursor;
            begun_ = false;
            return;
        }
        if (!add(line)) return;
        begun_ = false;
        full_ = full_ || ++taken_ >= limits_.lines;
        next_ = line_begin_ = cursor;
        replaced_ = plain_.replaced_bytes() - replaced_before_;
    }

    bool add(Line& line) {
        const bool folds = !raw_ && !lines.empty() && lines.back().finished && line.finished && !lines.back().mark &&
                           lines.back().text == line.text;
        if (folds) {
            Line& last = lines.back();
            const auto before = shown_characters(last);
            ++last.count;
            const auto after = shown_characters(last);
            if (used_ - before + after > limits_.characters) {
                --last.count;
                full_ = true;
                return false;
            }
            used_ = used_ - before + after;
            last.end = line.end;
            return true;
        }
        const auto size = line.characters + (line.finished ? 1 : 0);
        if (used_ + size > limits_.characters) {
            give_up_line();
            return false;
        }
        used_ += size;
        lines.push_back(std::move(line));
        return true;
    }

    /// The current line does not fit. It is left for the next answer, unless it would not fit there either.
    void give_up_line() {
        full_ = true;
        if (lines.empty() || (lines.size() == 1 && lines.back().mark)) cut_line();
    }

    /// As much of one overlong line as the budget has room for. A sequence or character that this cuts is completed by the
    /// next answer's look back.
    void cut_line() {
        PlainText plain{{false, SIZE_MAX / 2}};
        if (!raw_) look_back(plain, line_begin_);
        const auto counted = plain.replaced_bytes();
        const std::size_t room = limits_.characters - std::min(used_, limits_.characters);
        Line line;
        line.begin = line.end = line_begin_;
        line.finished = false;
        Tail tail{reader_, selection_, line_begin_, end_};
        while (line.characters < room) {
            const auto piece = tail.next();
            if (!piece || piece->lost > 0) break;
            auto text = piece->text();
            line.end = piece->begin;
            while (!text.empty() && line.characters < room) {
                const auto step = text.substr(0, room - line.characters);  // no byte makes more than one character
                if (raw_)
                    line.text += step;
                else
                    plain.feed(step, line.text, lane_of(piece->stream));
                line.characters =
                    raw_ ? line.text.size() : count_characters(line.text) + count_characters(plain.held());
                text.remove_prefix(step.size());
                line.end += step.size();
            }
        }
        plain.flush(line.text);
        replaced_ = plain.replaced_bytes() - counted;
        used_ += line.characters;
        next_ = line.end;
        lines.push_back(std::move(line));
    }

    Reader& reader_;
    Selection selection_;
    bool raw_;
    std::uint64_t end_;
    Limits limits_;
    PlainText plain_{{false, 64u << 10}};
    std::string line_text_;
    bool begun_ = false;
    bool full_ = false;
    std::uint64_t next_;
    std::uint64_t line_begin_;
    std::uint64_t taken_ = 0;
    std::size_t used_ = 0;
    std::uint64_t replaced_ = 0;
    std::uint64_t replaced_before_ = 0;
};

/// Keeps the last lines that fit into the budget. `whole` tells whether the first one is.
std::size_t first_that_fits(const std::vector<Line>& lines, std::size_t budget, bool whole) {
    std::size_t used = 0;
    std::size_t first = lines.size();
    const std::size_t lowest = whole ? 0 : 1;
    while (first > lowest && used + shown_characters(lines[first - 1]) <= budget) used += shown_characters(lines[--first]);
    return first;
}

struct End {
    std::string text;
    std::uint64_t begin = 0;
    std::uint64_t replaced_bytes = 0;
};

/// The last lines before `end` that fit into the budget, none from before `begin`.
End read_end(Reader& reader, const Selection& selection, bool raw, std::uint64_t begin, std::uint64_t end,
             std::size_t budget) {
    const LineReader::Limits unlimited{SIZE_MAX / 8, UINT64_MAX};
    for (std::uint64_t window = budget;; window *= 4) {
        const auto from = std::max(begin, find_byte_start(reader, selection, begin, end, window));
        LineReader found{reader, selection, raw, from, end, unlimited};
        const bool whole = from == begin;
        const auto first = first_that_fits(found.lines, budget, whole);
        const bool all = first <= (whole ? 0U : 1U);
        if (all && !whole && window < kMaxExamined / 4 && found.characters() < budget)
            continue;  // most of it was not text: look further back
        if (first < found.lines.size()) {
            std::vector<Line> kept{found.lines.begin() + static_cast<std::ptrdiff_t>(first), found.lines.end()};
            const auto at = kept.front().begin;
            return {shown(kept), at, found.replaced_bytes()};
        }
        // one line that is longer than the budget: its end, and no byte makes more than one character
        const auto within = std::max(begin, find_byte_start(reader, selection, begin, end, budget));
        LineReader rest{reader, selection, raw, within, end, unlimited};
        return {shown(rest.lines), within, rest.replaced_bytes()};
    }
}

std::uint64_t earlier(std::uint64_t cursor, const std::optional<std::uint64_t>& limit) {
    return limit ? std::min(cursor, *limit) : cursor;
}

void fill(Answer& answer, const LineReader& read) {
    answer.text = shown(read.lines);
    if (!read.lines.empty()) answer.begin = read.lines.front().begin;
    answer.replaced_bytes = read.replaced_bytes();
    answer.lost_bytes += read.lost;
}

Answer read_forward(Reader& reader, const Query& query, std::size_t budget) {
    Answer answer;
    Selection selection{{}, query.stream};
    if (query.run != -1) selection.run = find_run(reader, query.run, query.stream).run;
    const auto tail = reader.refresh().tail;
    const auto begin = std::min(*query.cursor, tail);
    auto end = earlier(tail, query.until);
    if (query.before_ns) end = std::min(end, reader.cursor_at_time(*query.before_ns));
    end = std::max(end, begin);
    if (query.stream != StreamChoice::combined && !selection.run) {
        const auto first = find_child_chunk(reader, {}, begin, end);
        if (first && first->stream == Stream::merged) refuse_streams(first->run);
    }
    answer.begin = query.since_ns ? find_since(reader, *query.since_ns, selection, begin, end, answer.lost_bytes) : begin;
    const LineReader read{reader, selection, query.raw, answer.begin, end, {budget, query.lines.value_or(UINT64_MAX)}};
    fill(answer, read);
    answer.cursor = read.next();
    answer.more = read.next() < end;
    answer.run = read.last_run != 0 ? read.last_run : selection.run.value_or(newest_run(reader));
    answer.merged = read.merged;
    return answer;
}

Answer read_stretch(Reader& reader, const Query& query, std::size_t budget) {
    Answer answer;
    const RunStretch stretch = find_run(reader, query.run, query.stream);
    answer.run = stretch.run;
    answer.merged = stretch.merged;
    const Selection selection{stretch.run == 0 ? std::nullopt : std::optional{stretch.run}, query.stream};
    auto end = earlier(stretch.end, query.until);
    if (query.before_ns) end = std::min(end, reader.cursor_at_time(*query.before_ns));
    end = std::max(end, stretch.begin);
    auto begin = stretch.begin;
    if (query.since_ns) begin = find_since(reader, *query.since_ns, selection, begin, end, answer.lost_bytes);
    if (query.lines) {
        const auto start = find_line_start(reader, selection, begin, end, *query.lines);
        if (!start.reached) answer.lost_bytes += measure(reader, selection, begin, start.cursor).lost;
        begin = start.cursor;
    }
    answer.begin = begin;
    answer.cursor = end;
    answer.more = end < stretch.end;

    const LineReader all{reader, selection, query.raw, begin, end, {budget, UINT64_MAX}};
    if (all.reached_end()) {
        fill(answer, all);
        return answer;
    }
    const auto half = std::max<std::size_t>(budget / 2, 1);
    const LineReader head{reader, selection, query.raw, begin, end, {half, UINT64_MAX}};
    fill(answer, head);
    const End rest = read_end(reader, selection, query.raw, head.next(), end, half);
    answer.replaced_bytes += rest.replaced_bytes;
    if (rest.begin > head.next()) {
        answer.cut = true;
        answer.cut_begin = head.next();
        answer.cut_end = rest.begin;
        const Measure between = measure(reader, selection, answer.cut_begin, answer.cut_end);
        answer.cut_lines = between.newlines;
        answer.lost_bytes += between.lost;
        if (!answer.text.empty() && !answer.text.ends_with('\n')) answer.text += '\n';
        answer.text += "… " + std::to_string(answer.cut_lines) + " lines (cursor " + std::to_string(answer.cut_begin) +
                       ".." + std::to_string(answer.cut_end) + ") …\n";
    }
    answer.lost_bytes += measure(reader, selection, rest.begin, end).lost;
    answer.text += rest.text;
    return answer;
}

}  // namespace

std::vector<std::uint32_t> known_runs(Reader& reader) {
    const StateSnapshot& state = reader.refresh();
    std::set<std::uint32_t> runs;
    runs.insert(state.lifecycle.run);
    for (const Head& head : state.heads) runs.insert(static_cast<std::uint32_t>(head.run));
    std::uint64_t cursor = 0;
    while (true) {
        const auto block = reader.chunks(cursor, UINT64_MAX, 1024);
        if (block.empty()) break;
        for (const Chunk& chunk : block) runs.insert(chunk.run);
        cursor = block.back().end;
    }
    runs.erase(0);
    return {runs.begin(), runs.end()};
}

RunStretch find_run(Reader& reader, std::int64_t run, StreamChoice stream) {
    const std::int64_t newest = newest_run(reader);
    const StateSnapshot state = reader.state();
    RunStretch stretch;
    stretch.end = state.tail;
    stretch.newest = true;
    if (newest == 0 && run == -1) return stretch;
    const auto number = run < 0 ? newest + 1 + run : run;
    if (number < 1 || number > newest) refuse_run(reader, run);
    stretch.run = static_cast<std::uint32_t>(number);
    stretch.newest = number == newest;
    if (const auto begin = reader.find_run_begin(stretch.run))
        stretch.begin = *begin;
    else if (state.lifecycle.run == stretch.run)
        stretch.begin = std::min(state.lifecycle.start_cursor, state.tail);
    else
        refuse_run(reader, run);

    if (!stretch.newest) {
        const Selection own{stretch.run, StreamChoice::combined};
        const auto last = find_byte_start(reader, own, stretch.begin, state.tail, 1);
        const Head& later = state.heads[(stretch.run + 1) % kHeadSlots];
        if (last < state.tail)
            stretch.end = last + 1;
        else if (later.run == stretch.run + 1)
            stretch.end = std::max(later.begin, stretch.begin);
        else if (const auto head = reader.find_head(stretch.run))
            stretch.end = std::min(head->begin + head->length, state.tail);
    }
    const auto first = find_child_chunk(reader, stretch.run, stretch.begin, stretch.end);
    stretch.merged = first && first->stream == Stream::merged;
    if (stretch.merged && stream != StreamChoice::combined) refuse_streams(stretch.run);
    return stretch;
}

std::uint64_t find_since(Reader& reader, std::int64_t since_ns, const Selection& selection, std::uint64_t begin,
                         std::uint64_t end, std::uint64_t& lost) {
    const auto at = std::min(reader.cursor_at_time(since_ns), end);
    if (at <= begin) return begin;
    const auto oldest = reader.chunks(0, UINT64_MAX, 1);
    if (!oldest.empty() && oldest.front().first == at) lost += measure(reader, selection, begin, at).lost;
    return at;
}

Answer query(Reader& reader, const Query& query) {
    const auto budget = std::clamp<std::size_t>(query.max_chars, 1, kMaxCharacters);
    return query.cursor ? read_forward(reader, query, budget) : read_stretch(reader, query, budget);
}

}  // namespace pp::ring
