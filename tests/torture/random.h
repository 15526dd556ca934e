#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace pp::torture {

/// All that is left to chance comes from one seed, which is printed and can be given. What then happens is up to the
/// scheduler all the same.
class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_{seed} {}

    /// From `low` to `high`, both included.
    template <class Integer>
    Integer within(Integer low, Integer high) {
        return std::uniform_int_distribution<Integer>{low, high}(engine_);
    }
    std::chrono::nanoseconds moment(std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
        return std::chrono::nanoseconds{within(low.count(), high.count())};
    }
    bool one_in(int n) { return within(1, n) == 1; }
    template <class Values>
    const auto& one_of(const Values& values) {
        return values[within<std::size_t>(0, std::size(values) - 1)];
    }
    /// For another thread.
    Random split() { return Random{engine_()}; }

  private:
    std::mt19937_64 engine_;
};

}  // namespace pp::torture
