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
    std::uint64_t line = 0;  ///< newlines before `begin`
    std::uint32_t run = 0;
    Stream stream = Stream::merged;
    std::uint8_t flags = 0;
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

    /// Chunks that overlap [begin, end), oldest first, cut to it. Those that are overwritten are left out, or cut.
    std::vector<Chunk> chunks(std::uint64_t begin, std::uint64_t end);

    /// Cursor of the first chunk of a run; nothing if none of it is known any more.
    std::optional<std::uint64_t> find_run_begin(std::uint32_t run);

    /// The kept head of a run; nothing if none was kept (the ring still has it, or another run took the slot).
    [[nodiscard]] std::optional<Head> find_head(std::uint32_t run) const;

  private:
    Reader() = default;
    [[nodiscard]] std::uint64_t oldest_byte() const;
    std::optional<Descriptor> descriptor(std::uint64_t number);
    [[nodiscard]] std::uint64_t oldest_descriptor() const;
    std::size_t read_head(std::uint64_t cursor, std::uint64_t limit, std::span<std::byte> buffer);
    std::size_t read_data(std::uint64_t cursor, std::span<std::byte> buffer);

    os::UniqueFd page_;
    os::UniqueFd ring_;
    os::UniqueFd heads_;
    std::string heads_path_;
    StateSnapshot state_;
};

}  // namespace pp::ring
