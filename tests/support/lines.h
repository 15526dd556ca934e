#pragma once

#include <string>

namespace pp::test {

/// What `seq 1 last` writes.
inline std::string lines_to(int last, const std::string& end = "\n") {
    std::string text;
    for (int i = 1; i <= last; ++i) text += std::to_string(i) + end;
    return text;
}

}  // namespace pp::test
