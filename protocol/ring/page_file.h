#pragma once

#include <cstdint>
#include <string>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"

namespace pp::ring {

/// A state page as the keeper has it, by its file and not mapped: where somebody cut the file short a mapping is SIGBUS, and the
/// keeper has other shims to keep. And it has one for each process, and hardly ever needs it.
class PageFile {
  public:
    PageFile() = default;
    /// Throws as StatePage::from_fd() does.
    explicit PageFile(os::UniqueFd file);

    explicit operator bool() const { return static_cast<bool>(file_); }
    [[nodiscard]] int fd() const { return file_.get(); }

    /// pid of the newest child, or 0.
    [[nodiscard]] std::int32_t spawned_pid() const;
    /// How an orphan ended, before it is reaped, and wakes followers; false, with errno, if it cannot be written.
    [[nodiscard]] bool store_orphan(const OrphanExit& orphan) const;
    /// Wakes all who sleep on the page.
    void wake() const;
    /// As StatePage::restore().
    void restore(const std::string& path) const;

  private:
    os::UniqueFd file_;
};

}  // namespace pp::ring
