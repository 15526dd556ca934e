#pragma once

#include <string>

#include "hub/logs/log_search.h"
#include "tests/protocol/ring/test_ring.h"

namespace pp::test {

inline hub::LogMatches search(const TestRing& ring, const std::string& pattern, const hub::LogQuery& query = {},
                              hub::SearchPatience patience = {}) {
    const ring::LinePattern looked_for{pattern};
    hub::LineMatcher matcher{looked_for};
    hub::LogSearch search{ring.reader(), matcher, query, patience};
    while (search.step()) {
    }
    return search.take();
}

inline std::vector<std::string> texts_of(const hub::LogMatches& found) {
    std::vector<std::string> texts;
    for (const auto& line : found.lines) texts.push_back(line.text);
    return texts;
}

}  // namespace pp::test
