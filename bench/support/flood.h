#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/fifo.h"
#include "bench/support/samples.h"

namespace pp::bench {

/// A child that writes so many bytes as fast as it is let, in writes of one size, and says how long it took.
///
/// The child's own time is taken, whoever reads: what starts and ends the reader is not in it, and the rest
/// of a pipe that is read afterwards is less than a hundredth.
class Flood {
  public:
    Flood(const std::string& fifo, int processor, std::uint64_t block, std::uint64_t total);

    [[nodiscard]] std::vector<std::string> argv() const;
    [[nodiscard]] std::uint64_t total() const { return total_; }
    /// Sleeps until it has written all. Throws if it has not within a minute.
    [[nodiscard]] Seconds wait() const { return std::chrono::nanoseconds{std::stoll(time_.wait())}; }

  private:
    Fifo time_;
    int processor_;
    std::uint64_t block_;
    std::uint64_t total_;
};

}  // namespace pp::bench
