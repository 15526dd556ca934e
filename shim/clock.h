#pragma once

#include <chrono>
#include <cstdint>

namespace pp::shim {

/// Wall clock.
inline std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace pp::shim
