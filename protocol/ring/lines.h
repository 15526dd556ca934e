#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "protocol/ring/tail.h"

namespace pp::ring {

/// A line of one stream, as its bytes came.
struct Line {
    std::string bytes;         ///< without the newline
    std::uint64_t begin = 0;   ///< cursor of the first byte
    std::uint64_t end = 0;     ///< behind the last one, the newline included; other streams' bytes may lie between
    std::int64_t time_ns = 0;  ///< when the first byte was taken; 0: not known any more
    std::uint32_t run = 0;
    Stream stream = Stream::merged;
    bool finished = true;  ///< a newline ended it
};

/// Puts the pieces of a log together to lines, each stream's for itself, and gives them out in the order in which they end. A
/// line that is longer than kLongest comes in parts. What a loss interrupts ends there.
class Lines {
  public:
    static constexpr std::size_t kLongest = 1u << 20;
    using Sink = std::function<void(Line&&)>;

    explicit Lines(Sink sink) : sink_{std::move(sink)} {}

    void feed(const Piece& piece);
    /// No more comes: unfinished lines are lines too.
    void finish();

  private:
    void end_line(Line& line, bool finished);

    Sink sink_;
    std::array<Line, kLanes> unfinished_;
};

}  // namespace pp::ring
