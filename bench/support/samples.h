#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace pp::bench {

using Seconds = std::chrono::duration<double>;

/// Time since it was made.
class Stopwatch {
  public:
    [[nodiscard]] Seconds elapsed() const { return Clock::now() - start_; }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_ = Clock::now();
};

/// Of an even number the lower of the two in the middle; of none, zero.
template <class Value>
Value median(std::vector<Value> samples) {
    if (samples.empty()) return {};
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>((samples.size() - 1) / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

inline double milliseconds(Seconds time) {
    return time.count() * 1e3;
}
inline double microseconds(Seconds time) {
    return time.count() * 1e6;
}

}  // namespace pp::bench
