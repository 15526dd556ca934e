#pragma once

#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::bench {

/// A named pipe by which a program says something once, however it was started. Removed with this.
class Fifo {
  public:
    explicit Fifo(std::string path);
    ~Fifo();
    Fifo(const Fifo&) = delete;
    Fifo& operator=(const Fifo&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// Sleeps until something was said. Throws if nothing is within a minute.
    [[nodiscard]] std::string wait() const;

  private:
    std::string path_;
    os::UniqueFd reader_;
};

}  // namespace pp::bench
