#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hub/logs/line_matcher.h"
#include "protocol/ring/lines.h"
#include "protocol/ring/tail.h"

namespace pp::hub {

/// Where a line stands that matched. Other streams' bytes may lie within.
struct Hit {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< behind its newline
    bool finished = true;   ///< a newline ends it; else what came next is not there (yet), or it is too long
    bool partial = false;   ///< it may have begun earlier: that is lost, or too far back
    bool operator==(const Hit&) const = default;
};

/// Looks through a stretch of a log for lines that match, from the oldest to the newest. A line is one of its stream, whatever
/// other streams wrote meanwhile; a line of more than ring::Lines::kLongest bytes comes in parts, as there.
///
/// Bytes are copied out of the ring (ring::Reader), then looked at: what the writer overwrites meanwhile is counted as lost and
/// never looked at, and a file that is cut short is an answer.
class LogScan {
  public:
    struct Stretch {
        ring::Selection selection;
        std::uint64_t begin = 0;  ///< where its first line begins
        bool begins_line = true;  ///< it does begin there, and not somewhere before
        std::uint64_t from = 0;   ///< lines that end before this are passed over
        std::uint64_t until = 0;
    };

    /// Reader and matcher are borrowed.
    LogScan(ring::Reader& reader, LineMatcher& matcher, const Stretch& stretch);

    /// Looks through some more, and appends what it finds in the order in which the lines end. False: that was all.
    bool step(std::vector<Hit>& hits);

    /// All lines that end before this have been looked at.
    [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
    /// Bytes of the stretch that nobody has any more, up to the cursor.
    [[nodiscard]] std::uint64_t lost() const { return lost_; }

  private:
    /// Bytes of one stream from a line's begin on, kept until they are whole lines and many.
    struct Lane {
        struct Segment {
            std::size_t offset = 0;
            std::uint64_t cursor = 0;
        };
        std::string text;
        std::vector<Segment> segments;  ///< which cursors its bytes have
        bool partial = false;           ///< of its first line the begin is not known

        void append(std::string_view bytes, std::uint64_t cursor);
        void remove_front(std::size_t count);
        [[nodiscard]] std::uint64_t cursor_of(std::size_t offset) const;
    };

    void look_back(const Stretch& stretch);
    void take(const ring::Piece& piece, std::vector<Hit>& hits);
    void take_in_place(std::string_view text, std::uint64_t cursor, Lane& lane, std::vector<Hit>& hits);
    void cut_overlong(Lane& lane, std::vector<Hit>& hits);
    void search_begun(Lane& lane, std::size_t size, std::vector<Hit>& hits);
    void search_whole_lines(std::vector<Hit>& hits);
    void search_rest(std::vector<Hit>& hits);

    LineMatcher& matcher_;
    ring::Tail tail_;
    ring::Reader& reader_;
    std::uint64_t cursor_;
    std::uint64_t until_;
    std::uint64_t lost_ = 0;
    std::array<Lane, ring::kLanes> lanes_;
    std::vector<LineSpan> spans_;
};

}  // namespace pp::hub
