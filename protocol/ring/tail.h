#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/ring/reader.h"

namespace pp::ring {

/// Which of a process's streams are wanted. Notes of pp itself are in `combined` alone, what a merged run wrote too.
enum class StreamChoice { combined, out, err };

/// "combined", "stdout", "stderr"; nothing for any other text.
std::optional<StreamChoice> find_stream_choice(std::string_view name);

/// "combined" of a merged run, "stdout", "stderr"; "pp" for what pp says itself.
const char* stream_name(Stream stream);

/// Streams of a run are put together to text each for itself; this one in that lane, whatever a damaged file says.
inline constexpr std::size_t kLanes = 4;
inline std::size_t lane_of(Stream stream) { return static_cast<std::size_t>(stream) % kLanes; }

/// What of a ring is wanted.
struct Selection {
    std::optional<std::uint32_t> run;  ///< all runs if not given
    StreamChoice stream = StreamChoice::combined;

    [[nodiscard]] bool matches(const Chunk& chunk) const;
};

/// A stretch of cursors that a selection wants, as far as the descriptors tell.
struct Region {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::int64_t time_ns = 0;  ///< 0: not known any more
    std::uint32_t run = 0;     ///< 0: not known any more
    Stream stream = Stream::merged;
    bool untold = false;  ///< its descriptors are gone, and so nobody knows whether it was wanted: counts as lost
    std::optional<std::uint64_t> newlines;  ///< in it, where the descriptors tell
};

/// The wanted stretches from a cursor on, oldest first. Reads descriptors alone.
class Regions {
  public:
    Regions(Reader& reader, Selection selection, std::uint64_t cursor, std::uint64_t until = UINT64_MAX);
    /// Nothing if there is no more up to the tail; ask again when that has moved.
    std::optional<Region> next();
    /// All before it was returned or is not wanted.
    [[nodiscard]] std::uint64_t cursor() const { return cursor_; }

  private:
    std::optional<Region> undescribed(std::uint64_t stop);

    Reader& reader_;
    Selection selection_;
    std::uint64_t cursor_;
    std::uint64_t until_;
    std::vector<Chunk> chunks_;
    std::size_t at_ = 0;
};

/// Bytes of one stream and one run.
struct Piece {
    std::span<const std::byte> bytes;  ///< until the next call of next(); empty only behind a loss at the end
    std::uint64_t begin = 0;           ///< cursor of the first
    std::int64_t time_ns = 0;          ///< when they were taken; 0: not known any more
    std::uint32_t run = 0;             ///< 0: not known any more
    Stream stream = Stream::merged;
    std::uint64_t lost = 0;    ///< wanted bytes before these that nobody has any more
    std::uint64_t cursor = 0;  ///< to go on from

    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
};

/// Reads a log from a cursor on, piece by piece, and follows it: next() comes back empty at the tail, and not any more once
/// that has moved (StatePage::wake tells). The reader is borrowed and must outlive it.
class Tail {
  public:
    static constexpr std::size_t kPieceSize = 64u << 10;

    /// Pieces have at most `piece_size` bytes: what reads much is quicker with larger ones.
    Tail(Reader& reader, Selection selection, std::uint64_t cursor, std::uint64_t until = UINT64_MAX,
         std::size_t piece_size = kPieceSize);
    std::optional<Piece> next();
    [[nodiscard]] std::uint64_t cursor() const { return region_ ? at_ : regions_.cursor(); }

  private:
    std::uint64_t fill();

    Reader& reader_;
    Regions regions_;
    std::uint64_t until_;
    std::optional<Region> region_;
    std::uint64_t at_ = 0;
    // One read serves many small chunks: what was read ahead, wanted or not.
    std::size_t piece_size_;
    std::vector<std::byte> buffer_;
    std::uint64_t read_begin_ = 0;
    std::uint64_t read_end_ = 0;
};

/// Where the last `lines` lines of [begin, end) begin, by descriptors and a look at one chunk. `reached` tells whether there
/// were as many; if not, it is the first that the ring still has.
struct LineStart {
    std::uint64_t cursor = 0;
    bool reached = false;
};
LineStart find_line_start(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end,
                          std::uint64_t lines);

/// Cursor from which on about `bytes` wanted bytes lie before `end`.
std::uint64_t find_byte_start(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end,
                              std::uint64_t bytes);

/// What lies in a stretch: counted by descriptors, read only where they do not tell.
struct Measure {
    std::uint64_t newlines = 0;
    std::uint64_t lost = 0;
};
Measure measure(Reader& reader, const Selection& selection, std::uint64_t begin, std::uint64_t end);

}  // namespace pp::ring
