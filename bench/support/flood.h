#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/samples.h"
#include "protocol/os/unique_fd.h"

namespace pp::bench {

/// A child that writes so many bytes as fast as it is let, in writes of one size, and says how long it took.
///
/// The child's own time is taken, whoever reads: what starts and ends the reader is not in it, and the rest
/// of a pipe that is read afterwards is less than a hundredth.
class Flood {
  public:
    Flood(std::string fifo, int processor, std::uint64_t block, std::uint64_t total);
    ~Flood();
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;

    [[nodiscard]] std::vector<std::string> argv() const;
    [[nodiscard]] std::uint64_t total() const { return total_; }
    /// Sleeps until it has written all. Throws if it has not within a minute.
    Seconds wait();

  private:
    std::string fifo_;
    os::UniqueFd reader_;
    int processor_;
    std::uint64_t block_;
    std::uint64_t total_;
};

}  // namespace pp::bench
