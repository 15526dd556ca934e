#pragma once

#include <atomic>
#include <cstdint>

namespace pp::os {

/// Sleeps while `word` equals `seen`; shared between processes, so the mapping may be read-only.
/// Returns on wake, on a changed word, and spuriously: the caller looks again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t seen);

/// Wakes all who wait on `word`. About 0.2 µs when nobody does.
void futex_wake_all(std::atomic<std::uint32_t>& word);

}  // namespace pp::os
