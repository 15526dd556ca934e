#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/logs/log_scan.h"
#include "protocol/ring/line_numbers.h"
#include "protocol/ring/line_pattern.h"
#include "protocol/ring/query.h"

namespace pp::hub {

/// A line as it is shown: plain text, without control characters.
struct FoundLine {
    std::uint64_t begin = 0;  ///< cursor of its first byte
    std::uint64_t end = 0;    ///< behind the last one
    std::optional<std::uint64_t> number;  ///< from 1, counted from the start of the run; nothing: nobody can tell any more
    std::int64_t time_ns = 0;             ///< 0: not known any more
    ring::Stream stream = ring::Stream::merged;
    bool partial = false;      ///< it may have begun earlier
    bool begins_group = false;  ///< lines between the one shown before and this are not shown
    std::string text;           ///< of a long line a part, with … where it is cut
    std::size_t left_out = 0;   ///< characters of the line that are not in `text`
    std::optional<ring::LinePattern::Match> match;  ///< in `text`, in characters; nothing: only a neighbour
};

/// A line that matched and its neighbours, in order.
struct Excerpt {
    std::vector<FoundLine> lines;
    bool joined = false;  ///< no line lies between what was shown before and these
};

/// Reads the lines that are shown: those that matched, and their neighbours. Hits that follow each other closely cost one pass
/// over what lies between. Reader and pattern are borrowed.
class Excerpts {
  public:
    struct Shape {
        std::size_t neighbours = 0;  ///< lines before and behind one that matched
        std::size_t characters = 500;  ///< of a line; of a longer one those around its match
    };
    Excerpts(ring::Reader& reader, const ring::Selection& selection, const ring::RunStretch& run,
             const ring::LinePattern& pattern, Shape shape);
    ~Excerpts();

    /// The line of a hit with its neighbours; of these none that ends before `after`, up to which is shown already. Without
    /// lines if it was overwritten meanwhile.
    Excerpt read(const Hit& hit, std::uint64_t after);

    [[nodiscard]] const Shape& shape() const { return shape_; }

  private:
    class Source;
    class Before;
    std::uint64_t begin_of(const Hit& hit);
    FoundLine shown(const ring::Line& line);

    ring::Reader& reader_;
    ring::Selection selection_;
    ring::RunStretch run_;
    const ring::LinePattern& pattern_;
    Shape shape_;
    ring::LineNumbers numbers_;
    std::unique_ptr<Source> source_;
};

}  // namespace pp::hub
