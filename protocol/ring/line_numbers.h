#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/ring/reader.h"

namespace pp::ring {

/// Numbers the lines of a run: newlines of the log are counted from where the run began, those that a descendant of an earlier
/// run wrote meanwhile too. Reads descriptors, and bytes from the nearest place on for which they tell the count. Quick where
/// it is asked for one place after the other. The reader is borrowed.
class LineNumbers {
  public:
    LineNumbers(Reader& reader, std::uint32_t run, std::uint64_t run_begin);

    /// Whether the run did begin there, as far as can be told.
    [[nodiscard]] bool knows_begin() const { return base_.has_value(); }

    /// Newlines between the begin of the run and a cursor. Nothing if that cannot be told any more: what would tell it is
    /// overwritten.
    std::optional<std::uint64_t> before(std::uint64_t cursor);

  private:
    /// Newlines before a cursor, since the process was created.
    struct Count {
        std::uint64_t cursor = 0;
        std::uint64_t newlines = 0;
    };
    std::optional<std::uint64_t> find_base();
    std::optional<std::uint64_t> count(std::uint64_t cursor);
    std::optional<Count> known_behind(std::uint64_t cursor);
    std::optional<std::uint64_t> newlines(std::uint64_t begin, std::uint64_t end);

    Reader& reader_;
    std::uint32_t run_;
    std::uint64_t run_begin_;
    std::optional<std::uint64_t> base_;
    std::optional<Count> last_;
    std::vector<std::byte> buffer_;  ///< what was read last; nothing that was read is ever another
    std::uint64_t block_begin_ = 0;
    std::uint64_t block_end_ = 0;
};

}  // namespace pp::ring
