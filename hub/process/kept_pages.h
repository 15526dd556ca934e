#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// Reads state pages, and keeps them open: to open and close a page costs three times what reading it does, and a list reads
/// all of them.
///
/// A page is kept for as long as nothing was made, renamed or removed in the run directory, by the directory's own time. That
/// goes by the kernel's tick, or by whole seconds, so that a time not much older than now tells nothing: what may have changed
/// twice within a tick is opened anew.
class KeptPages {
  public:
    /// Keeps at most so many.
    KeptPages(const rundir::Home& home, std::size_t most) : home_{home}, most_{most} {}

    /// A page that is kept, or may come to be.
    struct Page {
        os::UniqueFd file;
        std::uint64_t age = 0;    ///< of the directory, when it was opened
        ring::StateGlance found;  ///< just before it was last read whole
    };

    /// Holds for the calls of find() that follow at once.
    void look_at_directory();
    /// As ring::find_state().
    std::optional<ring::StateSnapshot> find(std::uint64_t process, Page& page);
    /// Whether find() would tell what it told last. False where it was not kept; throws as that does.
    [[nodiscard]] bool is_as_found(const Page& page) const;
    void let_go(Page& page);

  private:
    struct Stamp {
        std::uint64_t inode = 0;
        std::timespec changed{};
        bool operator==(const Stamp& other) const {
            return inode == other.inode && changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
        }
    };

    rundir::Home home_;
    std::size_t most_;
    Stamp stamp_;
    bool is_settled_ = false;  ///< the directory last changed more than a tick ago
    std::uint64_t age_ = 1;    ///< another one whenever it has changed
    std::size_t kept_ = 0;
};

}  // namespace pp::hub
