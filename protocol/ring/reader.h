#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/format.h"
#include "protocol/ring/state_page.h"

namespace pp::ring {

/// A stretch of payload with one stream and one run.
struct Chunk {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::int64_t time_ns = 0;
    std::uint64_t line = 0;  ///< newlines before `first`
    std::uint32_t run = 0;
    Stream stream = Stream::merged;
    std::uint8_t flags = 0;
    std::uint64_t first = 0;  ///< where the chunk began before it was cut
};

/// Anyone's end of a ring: reads while the writer writes, and knows exactly what it lost.
///
/// Treats both files as hostile: every offset is bounded, all reading is by pread, so that a file cut short is an answer
/// and never SIGBUS. Two readers share nothing. A reader may be kept over the life of the process and over successions.
class Reader {
  public:
    struct Paths {
        std::string state;
        std::string ring;
        std::string heads;
    };

    /// Nothing if the process has no ring yet. Throws std::runtime_error with the damage of a file that is not what it
    /// should be, std::system_error where it cannot be opened. Without a state page of this boot, the ring's last checkpoint
    /// serves, and `unverified()` says so.
    static std::optional<Reader> find(const Paths& paths);

    /// Where the readable part begins and ends now.
    struct Bounds {
        std::uint64_t begin = 0;  ///< what lies before is overwritten (heads apart)
        std::uint64_t end = 0;
    };
    [[nodiscard]] Bounds bounds();

    /// The newest state; the checkpoint's figures where there is no page.
    const StateSnapshot& refresh();
    [[nodiscard]] const StateSnapshot& state() const { return state_; }
    [[nodiscard]] bool unverified() const { return !page_; }

    struct Read {
        std::uint64_t lost = 0;   ///< cursors skipped before the bytes: overwritten, or refused by the disk
        std::size_t size = 0;     ///< bytes put into the buffer
        std::uint64_t next = 0;   ///< cursor + lost + size
    };
    /// Bytes from `cursor` on, at most up to `limit` (a cursor) and the buffer's size. What the writer overwrote before or
    /// during the copy is never returned: it is counted in `lost`, and the bytes are those that follow it. Answers from a
    /// kept head first where the ring no longer has them.
    Read read(std::uint64_t cursor, std::uint64_t limit, std::span<std::byte> buffer);

    /// Chunks that overlap [begin, end), oldest first, cut to it, the first `max` of them: go on at the end of the last one.
    /// What has lost its descriptor is left out; what has one may have lost its bytes.
    std::vector<Chunk> chunks(std::uint64_t begin, std::uint64_t end, std::size_t max = SIZE_MAX);

    /// The last `max` of them, oldest first too: go on before the begin of the first one.
    std::vector<Chunk> last_chunks(std::uint64_t begin, std::uint64_t end, std::size_t max);

    /// Begin of the first chunk that was taken at `time_ns` or later; the tail if there is none.
    std::uint64_t cursor_at_time(std::int64_t time_ns);

    /// How many bytes of [begin, end) nobody has any more: overwritten and in no head, or refused by the disk. As
    /// of the last refresh, which every other question includes.
    [[nodiscard]] std::uint64_t missing(std::uint64_t begin, std::uint64_t end) const;

    /// Where a run began; nothing if none of it is known any more.
    std::optional<std::uint64_t> find_run_begin(std::uint32_t run);

    /// The kept head of a run; nothing if none was kept (the ring still has it, or another run took the slot).
    [[nodiscard]] std::optional<Head> find_head(std::uint32_t run) const;

  private:
    Reader() = default;
    [[nodiscard]] std::uint64_t oldest_byte() const;
    [[nodiscard]] bool in_a_head(std::uint64_t cursor) const;
    std::optional<Descriptor> descriptor(std::uint64_t number);
    [[nodiscard]] std::uint64_t oldest_descriptor() const;
    /// Number of the first descriptor, of those from `low` on, that is not `before`; `high` if all are.
    template <class Before>
    std::uint64_t partition(std::uint64_t low, std::uint64_t high, Before before);
    std::vector<Chunk> chunks_from(std::uint64_t number, std::uint64_t begin, std::uint64_t end, std::size_t max);
    std::size_t read_head(std::uint64_t cursor, std::uint64_t limit, std::span<std::byte> buffer);
    std::size_t read_data(std::uint64_t cursor, std::span<std::byte> buffer);

    os::UniqueFd page_;
    os::UniqueFd ring_;
    os::UniqueFd heads_;
    std::string heads_path_;
    StateSnapshot state_;
};

}  // namespace pp::ring
