#pragma once

#include <chrono>
#include <cstdint>

namespace pp::hub {

/// Wall clock in nanoseconds, as rings, state pages and events count it.
inline std::int64_t wall_clock_ns() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace pp::hub
