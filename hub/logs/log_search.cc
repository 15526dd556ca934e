#include "hub/logs/log_search.h"

#include <algorithm>
#include <utility>

namespace pp::hub {

using std::chrono::steady_clock;

namespace {

/// A single line must not take all the room there is.
Excerpts::Shape shape_of(const LogQuery& query) {
    Excerpts::Shape shape;
    shape.neighbours = query.context_lines;
    shape.characters = std::clamp<std::size_t>(query.max_chars / 2, 1, shape.characters);
    return shape;
}

}  // namespace

LogSearch::LogSearch(ring::Reader reader, LineMatcher& matcher, const LogQuery& query, SearchPatience patience)
    : reader_{std::move(reader)},
      query_{query},
      patience_{patience},
      run_{ring::find_run(reader_, query.run, query.stream)},
      stretch_{find_stretch()},
      excerpts_{reader_, stretch_.selection, run_, matcher.pattern(), shape_of(query)},
      page_{excerpts_, first_limits(), stretch_.from},
      scan_{reader_, matcher, stretch_} {
    found_.run = run_.run;
    found_.merged = run_.merged;
}

LogScan::Stretch LogSearch::find_stretch() {
    LogScan::Stretch stretch;
    stretch.selection.stream = query_.stream;
    if (run_.run != 0) stretch.selection.run = run_.run;
    stretch.begin = stretch.from = run_.begin;
    stretch.until = run_.end;
    stretch.begins_line = begins_line();
    if (query_.since_ns)
        stretch.from = ring::find_since(reader_, *query_.since_ns, stretch.selection, stretch.from, stretch.until, found_.lost_bytes);
    if (query_.cursor) stretch.from = std::clamp(*query_.cursor, stretch.from, stretch.until);
    return stretch;
}

/// Of a run that is not one of the newest, what is kept may begin anywhere.
bool LogSearch::begins_line() {
    const auto head = reader_.find_head(run_.run);
    const auto& life = reader_.state().lifecycle;
    return (head && head->begin == run_.begin) || (life.run == run_.run && life.start_cursor == run_.begin) ||
           ring::LineNumbers{reader_, run_.run, run_.begin}.knows_begin();
}

/// Without a wish, half of the room is for the first lines and half for the last ones.
FoundPage::Limits LogSearch::first_limits() const {
    if (is_forward()) return {query_.head.value_or(UINT64_MAX), query_.max_chars};
    if (query_.tail && !query_.head) return {0, 0};
    return {query_.head.value_or(UINT64_MAX), query_.max_chars / 2};
}

bool LogSearch::step() {
    hits_.clear();
    const bool more = scan_.step(hits_);
    for (const Hit& hit : hits_) on_hit(hit);
    return more && !out_of_patience();
}

void LogSearch::on_hit(const Hit& hit) {
    ++found_.matches;
    if (page_.add(hit) || is_forward()) return;
    last_.push_back(hit);
    const auto most = std::min<std::uint64_t>(query_.tail.value_or(UINT64_MAX), query_.max_chars);
    if (last_.size() > most) last_.pop_front();
}

bool LogSearch::out_of_patience() {
    const auto now = steady_clock::now();
    if (is_forward() && page_.full() && !only_counts()) {
        if (!counting_since_) counting_since_ = now;
        if (now - *counting_since_ >= patience_.counting) return true;
    }
    return now >= patience_.whole;
}

/// As many of the last hits as there is room for; one at least.
std::deque<Hit>::iterator LogSearch::first_of_last() {
    const auto room = query_.max_chars - std::min(page_.characters(), query_.max_chars);
    std::size_t used = 0;
    auto earliest = UINT64_MAX;  // lines from there on are counted
    auto begin = last_.end();
    while (begin != last_.begin()) {
        const Hit& hit = *std::prev(begin);
        if (query_.context_lines == 0) {  // no byte makes more than one character, so nothing need be read
            const auto bytes = hit.end - hit.begin - (hit.finished ? 1 : 0);
            used += std::min<std::uint64_t>(bytes, excerpts_.shape().characters + 2) + kLineOverhead;
        } else {
            auto excerpt = excerpts_.read(hit, page_.end());
            std::erase_if(excerpt.lines, [&](const FoundLine& line) { return line.end >= earliest; });
            used += characters_of(excerpt.lines);
            if (!excerpt.lines.empty()) earliest = excerpt.lines.front().end;
        }
        if (used > room && begin != last_.end()) break;
        --begin;
    }
    return begin;
}

void LogSearch::show_last() {
    const auto begin = first_of_last();
    const auto left_out_begin = page_.last_match();
    page_.reopen({});
    std::for_each(begin, last_.end(), [&](const Hit& hit) { page_.add(hit); });
    if (found_.matches == page_.shown()) return;
    found_.left_out = {found_.matches - page_.shown(), left_out_begin, begin == last_.end() ? scan_.cursor() : begin->begin};
}

LogMatches LogSearch::take() {
    found_.unsearched_bytes = stretch_.until - std::min(scan_.cursor(), stretch_.until);
    found_.lost_bytes += scan_.lost();
    found_.cursor = scan_.cursor();
    found_.more = found_.unsearched_bytes > 0;
    if (!is_forward()) {
        show_last();
    } else if (page_.full() && !only_counts()) {
        found_.cursor = page_.last_match();
        found_.more = found_.more || found_.matches > page_.shown();
    }
    found_.shown = page_.shown();
    found_.lines = page_.take_lines();
    return std::move(found_);
}

}  // namespace pp::hub
