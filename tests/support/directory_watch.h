#pragma once

#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::test {

/// Tells of new files in a directory, and of what is written to them. Kept for long: closing an inotify descriptor waits some 15 ms in the kernel.
class DirectoryWatch {
  public:
    explicit DirectoryWatch(std::string directory);
    /// Sleeps until the directory has an entry of this name.
    void wait_for(const std::string& name);
    /// Sleeps until something is made or written there.
    void wait();

  private:
    std::string directory_;
    os::UniqueFd notify_;
};

}  // namespace pp::test
