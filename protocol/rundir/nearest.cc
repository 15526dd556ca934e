#include "protocol/rundir/nearest.h"

#include <algorithm>
#include <numeric>

namespace pp::rundir {

std::size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row.back();
}

std::optional<std::string> find_nearest(const std::string& word, const std::vector<std::string>& candidates) {
    constexpr std::size_t kMaxWord =
        256;  // nobody mistypes a longer one; the cost is the product of the lengths
    std::optional<std::string> best;
    std::size_t least = std::max<std::size_t>(2, word.size() / 2) + 1;
    if (word.empty() || word.size() > kMaxWord) return best;
    for (const auto& candidate : candidates) {
        if (candidate.empty() || candidate.size() > kMaxWord) continue;
        const auto distance = edit_distance(word, candidate);
        if (distance >= least || distance >= std::max(word.size(), candidate.size())) continue;
        least = distance;
        best = candidate;
    }
    return best;
}

}  // namespace pp::rundir
