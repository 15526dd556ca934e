#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace pp::bench {

/// A memory control group of our own, below the one that we are in: what its processes cost, the kernel's
/// share included.
///
/// Version 1 or 2 of control groups, whichever has the memory controller. A child belongs to its parent's
/// group; whoever is put in brings nothing of what it has already. Removed with this: by then its processes
/// must have gone, or this process was the only one.
class MemoryGroup {
  public:
    /// A new one; nothing where there is no memory controller that we may use.
    static std::optional<MemoryGroup> try_make();
    MemoryGroup(MemoryGroup&& other) noexcept;
    MemoryGroup& operator=(MemoryGroup&&) = delete;
    ~MemoryGroup();

    /// Moves a process here; what it starts from now on is counted.
    void add(pid_t pid) const;
    /// Moves this process back to where it was.
    void leave() const;
    /// Bytes that only the end of a process gives back: without file pages that may be dropped at any time.
    [[nodiscard]] std::uint64_t held() const;

  private:
    MemoryGroup(std::string parent, std::string path, bool unified);

    std::string parent_;
    std::string path_;  ///< empty: moved from
    bool unified_;
};

}  // namespace pp::bench
