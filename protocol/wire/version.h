#pragma once

#include <cstdint>

namespace pp::wire {

// Versions of the conversations, and what each was for. A hub speaks every version from the oldest on; a shim speaks its
// own. Fields are only ever added, with defaults; numbers and names are never used again.

/// hub and shim (shim_messages.h).
inline constexpr std::uint32_t kOldestShimProtocol = 1;
inline constexpr std::uint32_t kShimProtocol = 3;  // 1: the first; 2: Resize; 3: HandOver, Input.id, CancelInput

inline constexpr std::uint32_t kResizeSince = 2;
inline constexpr std::uint32_t kHandOverSince = 3;
inline constexpr std::uint32_t kInputIdSince = 3;

/// CLI and hub (control_messages.h).
inline constexpr std::uint32_t kOldestControlProtocol = 1;
inline constexpr std::uint32_t kControlProtocol = 2;  // 1: the first; 2: what suits the caller's terminal; commands as bytes

/// The launch file (launch.h).
inline constexpr std::uint32_t kLaunchVersion = 1;  // 1: the first

}  // namespace pp::wire
