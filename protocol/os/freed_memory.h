#pragma once

#include <malloc.h>

namespace pp::os {

/// For programs through which answers of some hundred kilobytes come and go: by its defaults glibc's malloc gives such pieces
/// back to the system each time, which clears them anew for the next. At most so much as this is kept in spite of being free, by
/// each of malloc's arenas.
inline void keep_freed_memory() {
    constexpr int kAtMost = 8 << 20;
    ::mallopt(M_MMAP_THRESHOLD, kAtMost);
    ::mallopt(M_TRIM_THRESHOLD, kAtMost);
}

}  // namespace pp::os
