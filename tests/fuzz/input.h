#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace pp::fuzz {

/// What the fuzzer made up, taken from the front piece by piece. One that is used up gives zeros and nothing, so that every
/// input means something and a shorter one means less.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : left_{reinterpret_cast<const char*>(data), size} {}

    template <class Integer>
    Integer take() {
        static_assert(std::is_integral_v<Integer>);
        Integer value = 0;
        const auto size = std::min(left_.size(), sizeof value);
        if (size > 0) std::memcpy(&value, left_.data(), size);
        left_.remove_prefix(size);
        return value;
    }
    bool flag() { return (take<std::uint8_t>() & 1) != 0; }
    /// A byte tells how many follow.
    std::string_view text() { return bytes(take<std::uint8_t>()); }
    /// So many, or as many as there are.
    std::string_view bytes(std::size_t count) {
        const auto taken = left_.substr(0, count);
        left_.remove_prefix(taken.size());
        return taken;
    }
    std::string_view rest() { return bytes(left_.size()); }
    [[nodiscard]] bool empty() const { return left_.empty(); }

  private:
    std::string_view left_;
};

}  // namespace pp::fuzz
