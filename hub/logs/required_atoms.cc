#include "hub/logs/required_atoms.h"

#include <re2/filtered_re2.h>

#include <algorithm>
#include <string>

namespace pp::hub {
namespace {

constexpr int kShortest = 2;          // a single byte stands in almost every line
constexpr std::size_t kMost = 8;      // with more, RE2 alone is as quick
constexpr std::size_t kMostKnown = 64;  // of an expression; of more the best are not looked for

/// An expression, and the texts that RE2 says it may need.
class Filter {
  public:
    explicit Filter(const re2::RE2& expression) {
        int id = 0;
        if (filter_.Add(expression.pattern(), expression.options(), &id) != re2::RE2::NoError) return;
        std::vector<std::string> texts;
        filter_.Compile(&texts);
        for (const auto& text : texts) atoms_.emplace_back(text, true);  // RE2 gives them in lower case, whatever is asked for
    }

    [[nodiscard]] const std::vector<Atom>& atoms() const { return atoms_; }

    /// Whether nothing matches without at least one of these.
    [[nodiscard]] bool needs_one_of(const std::vector<std::size_t>& kept) const {
        std::vector<int> others;
        for (std::size_t i = 0; i < atoms_.size(); ++i) {
            if (std::find(kept.begin(), kept.end(), i) == kept.end()) others.push_back(static_cast<int>(i));
        }
        std::vector<int> may_match;
        filter_.AllPotentials(others, &may_match);
        return may_match.empty();
    }

  private:
    re2::FilteredRE2 filter_{kShortest};
    std::vector<Atom> atoms_;
};

}  // namespace

std::vector<Atom> required_atoms(const ring::LinePattern& pattern) {
    const Filter filter{pattern.expression()};
    const auto& atoms = filter.atoms();
    if (atoms.empty() || atoms.size() > kMostKnown) return {};
    std::vector<std::size_t> kept(atoms.size());
    for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = i;
    if (!filter.needs_one_of(kept)) return {};
    std::sort(kept.begin(), kept.end(),
              [&](std::size_t a, std::size_t b) { return atoms[a].commonness > atoms[b].commonness; });
    for (std::size_t at = 0; at < kept.size();) {  // the commonest first: which of them can be done without?
        auto fewer = kept;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at));
        if (!fewer.empty() && filter.needs_one_of(fewer))
            kept = std::move(fewer);
        else
            ++at;
    }
    if (kept.size() > kMost) return {};
    std::vector<Atom> best;
    for (const auto i : kept) best.push_back(atoms[i]);
    return best;
}

}  // namespace pp::hub
