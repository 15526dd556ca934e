#include "hub/logs/excerpts.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace pp::hub {
namespace {

constexpr std::uint64_t kLookBack = 64u << 10;
constexpr std::size_t kPiece = 8u << 10;
constexpr std::uint64_t kNear = 32u << 10;  // to read so much costs less than to begin anew
constexpr std::string_view kCut = "…";

/// Where a character of a text begins; its size if it has fewer.
std::size_t offset_of(std::string_view text, std::size_t character) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
        if (begins && character-- == 0) return at;
    }
    return text.size();
}

/// Leaves so many characters of a line, those around what matched.
void shorten(FoundLine& line, std::size_t most) {
    const auto all = ring::count_characters(line.text);
    if (all <= most) return;
    std::size_t begin = 0;
    if (line.match) {
        const auto length = std::min(line.match->end - line.match->begin, most);
        const auto before = (most - length) / 2;
        begin = std::min(line.match->begin - std::min(line.match->begin, before), all - most);
    }
    const auto first = offset_of(line.text, begin);
    const auto last = first + offset_of(std::string_view{line.text}.substr(first), most);
    const std::string_view front = begin > 0 ? kCut : "";
    const std::string_view back = last < line.text.size() ? kCut : "";
    line.text = std::string{front} + line.text.substr(first, last - first) + std::string{back};
    line.left_out = all - most;
    if (!line.match) return;
    const auto moved = [&](std::size_t place) { return std::min(place - begin, most) + (begin > 0 ? 1 : 0); };
    line.match = {moved(line.match->begin), moved(line.match->end)};
}

}  // namespace

/// Lines of a log, one after the other.
class Excerpts::Source {
  public:
    Source(ring::Reader& reader, const ring::Selection& selection, std::uint64_t begin, std::uint64_t until)
        : begin_{begin},
          cursor_{begin},
          tail_{reader, selection, begin, until, kPiece},
          lines_{[this](ring::Line&& line) { ready_.push_back({std::move(line), std::exchange(lost_, false)}); }} {}

    struct Next {
        ring::Line line;
        bool behind_loss = false;  ///< it does not follow the one before
    };
    /// Null at the end.
    const Next* peek() {
        while (ready_.empty() && !ended_) read_on();
        return ready_.empty() ? nullptr : &ready_.front();
    }
    /// The one that was looked at.
    ring::Line take() {
        auto line = std::move(ready_.front().line);
        ready_.pop_front();
        cursor_ = std::max(cursor_, line.end);  // one that was never finished comes behind those that began after it
        return line;
    }
    /// Whether a line comes by, whole and soon.
    [[nodiscard]] bool comes_by(const Hit& hit) const {
        return hit.begin >= begin_ && hit.end > cursor_ && hit.begin <= cursor_ + kNear;
    }
    /// Lines that end before it have come by.
    [[nodiscard]] std::uint64_t cursor() const { return cursor_; }

  private:
    void read_on() {
        const auto piece = tail_.next();
        ended_ = !piece;
        if (ended_ || piece->lost > 0) lines_.finish();
        if (ended_) return;
        lost_ = lost_ || piece->lost > 0;
        lines_.feed(*piece);
    }

    std::uint64_t begin_;
    std::uint64_t cursor_;
    ring::Tail tail_;
    ring::Lines lines_;
    std::deque<Next> ready_;
    bool lost_ = false;
    bool ended_ = false;
};

/// The last lines that come by before a hit.
class Excerpts::Before {
  public:
    Before(std::uint64_t after, std::size_t most, bool joined) : after_{after}, most_{most}, joined_{joined} {}

    void take(ring::Line line) {
        if (line.end <= after_) return;
        lines_.push_back(std::move(line));
        if (lines_.size() <= most_) return;
        lines_.pop_front();
        joined_ = false;
    }
    /// What comes next does not follow these.
    void interrupt() {
        lines_.clear();
        joined_ = false;
    }
    [[nodiscard]] const std::deque<ring::Line>& lines() const { return lines_; }
    /// No line lies between what is shown and these.
    [[nodiscard]] bool joined() const { return joined_; }

  private:
    std::uint64_t after_;
    std::size_t most_;
    bool joined_;
    std::deque<ring::Line> lines_;
};

Excerpts::Excerpts(ring::Reader& reader, const ring::Selection& selection, const ring::RunStretch& run,
                   const ring::LinePattern& pattern, Shape shape)
    : reader_{reader},
      selection_{selection},
      run_{run},
      pattern_{pattern},
      shape_{shape},
      numbers_{reader, run.run, run.begin} {}

Excerpts::~Excerpts() = default;

/// From where to read, so that the hit and the neighbours before it are there.
std::uint64_t Excerpts::begin_of(const Hit& hit) {
    if (shape_.neighbours == 0) return hit.begin;
    const auto start = ring::find_line_start(reader_, selection_, run_.begin, hit.end, shape_.neighbours + 1);
    const auto begin = std::min(start.cursor, hit.begin);
    if (start.reached && run_.merged) return begin;
    // Lines of another stream began earlier; and where a run's kept head is all there is, no descriptors tell of lines.
    return std::max(run_.begin, begin - std::min(begin, kLookBack));
}

Excerpt Excerpts::read(const Hit& hit, std::uint64_t after) {
    if (!source_ || !source_->comes_by(hit))
        source_ = std::make_unique<Source>(reader_, selection_, begin_of(hit), run_.end);
    Before before{after, shape_.neighbours, source_->cursor() <= after};
    const auto is_hit = [&](const ring::Line& line) { return line.end == hit.end && line.begin == hit.begin; };
    const Source::Next* next = source_->peek();
    for (; next != nullptr; next = source_->peek()) {
        if (next->behind_loss) before.interrupt();
        if (is_hit(next->line)) break;
        const bool is_later = next->line.end >= hit.end;
        if (is_later && hit.finished) return {};
        auto line = source_->take();
        if (!is_later) before.take(std::move(line));
    }
    if (next == nullptr) return {};
    Excerpt found;
    found.joined = before.joined();
    for (const auto& line : before.lines()) found.lines.push_back(shown(line));
    found.lines.push_back(shown(source_->take()));
    found.lines.back().partial = hit.partial;
    for (std::size_t i = 0; i < shape_.neighbours; ++i) {
        next = source_->peek();
        if (next == nullptr || next->behind_loss) break;
        found.lines.push_back(shown(source_->take()));
    }
    return found;
}

FoundLine Excerpts::shown(const ring::Line& line) {
    FoundLine shown;
    shown.begin = line.begin;
    shown.end = line.end;
    shown.time_ns = line.time_ns;
    shown.stream = line.stream;
    if (const auto newlines = numbers_.before(line.end)) shown.number = *newlines + (line.finished ? 0 : 1);
    shown.text = ring::plain_view(line.bytes);
    if (const auto match = pattern_.find(shown.text)) {
        const std::string_view text = shown.text;
        const auto begin = ring::count_characters(text.substr(0, match->begin));
        shown.match = {begin, begin + ring::count_characters(text.substr(match->begin, match->end - match->begin))};
    }
    shorten(shown, shape_.characters);
    return shown;
}

}  // namespace pp::hub
