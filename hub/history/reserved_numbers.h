#pragma once

#include <cstdint>
#include <string>

namespace pp::hub {

/// state/next_event: so that no number of an event is given twice, though the history be replaced, or put
/// back by a power failure to what was last synced.
///
/// It holds a bound: whatever was given out lies below it. It is raised ahead of need and fsynced, so once in
/// many events. Where history and boot are those that it was written for, the history itself knows better.
class ReservedNumbers {
  public:
    /// `history` names the database: another one for each that is made.
    ReservedNumbers(std::string path, std::uint64_t history, std::string boot_id);

    /// The next number to give, where the history says `next_known`.
    [[nodiscard]] std::uint64_t first_free(std::uint64_t next_known) const;
    /// All numbers below `next` are about to be given out. Throws std::system_error if that cannot be
    /// written.
    void cover(std::uint64_t next);

  private:
    std::string path_;
    std::uint64_t history_;
    std::string boot_id_;
    std::uint64_t bound_ = 0;
    bool is_ours_ = false;  ///< written for this history, in this boot
};

}  // namespace pp::hub
