#pragma once

#include <cstdio>
#include <cstdlib>

namespace pp::fuzz {

/// What must hold whatever the input is. Where it does not, the program ends, and the fuzzer keeps the input.
inline void expect(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

}  // namespace pp::fuzz
