#pragma once

#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::test {

/// Tells of what becomes of a directory's files: made, written to, given other rights (as a socket is once it listens), removed. Kept for long: closing an inotify descriptor waits some 15 ms in the kernel.
class DirectoryWatch {
  public:
    explicit DirectoryWatch(std::string directory);
    /// Sleeps until the directory has an entry of this name.
    void wait_for(const std::string& name);
    /// Sleeps until something has become of any of them.
    void wait();

  private:
    std::string directory_;
    os::UniqueFd notify_;
};

}  // namespace pp::test
