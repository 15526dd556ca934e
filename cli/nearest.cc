#include "cli/nearest.h"

#include <algorithm>
#include <numeric>

namespace pp::cli {
namespace {

constexpr std::size_t kLongestWord = 128;

std::size_t edit_distance(const std::string& from, const std::string& to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t above_left = row[0]++;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t replaced = above_left + (from[i] == to[j] ? 0 : 1);
            above_left = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
        }
    }
    return row.back();
}

}  // namespace

std::optional<std::string> find_nearest(const std::string& word, const std::vector<std::string>& candidates) {
    std::optional<std::string> best;
    std::size_t least = std::max<std::size_t>(1, word.size() / 2);
    if (word.size() > kLongestWord) return best;
    for (const auto& candidate : candidates) {
        if (candidate.empty() || candidate.size() > kLongestWord) continue;
        const auto distance = edit_distance(word, candidate);
        if (distance > least || (best && distance == least)) continue;
        least = distance;
        best = candidate;
    }
    return best;
}

}  // namespace pp::cli
