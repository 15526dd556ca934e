#pragma once

#include <cstdint>

namespace pp::cli {

/// Says on stderr what could not be shown: when it begins, and in sum at the end. A reader that is too slow loses a
/// little a thousand times.
class LossNotice {
  public:
    void add(std::uint64_t bytes);
    /// The end. Says nothing that has been said.
    void finish();

  private:
    std::uint64_t bytes_ = 0;
    std::uint64_t places_ = 0;
};

}  // namespace pp::cli
