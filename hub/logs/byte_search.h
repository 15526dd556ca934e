#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pp::hub {

// Looks at every byte of a log, many at a time: what these skip, no line of it needs a closer look.

/// What the machine is asked for; each is there where the ones before are.
enum class Instructions { portable, sse2, avx2 };
/// The best that this machine has.
Instructions best_instructions();

/// First byte that the plain view (protocol/ring/plain_text.h) might not show as it is: any but printable ASCII, newline
/// and tab. The text's size if there is none.
std::size_t find_unplain(std::string_view text, Instructions instructions = best_instructions());

/// Two bytes of a text, by their places in it, and what vectors compare: where a letter may be of either case, the bit that
/// differs is set in both.
struct RarePair {
    std::size_t first = 0;
    std::size_t second = 0;
    char first_byte = 0;
    char second_byte = 0;
    char first_fold = 0;
    char second_fold = 0;
};

/// A text that is looked for, by its two rarest bytes first.
struct Atom {
    /// Not empty.
    Atom(const std::string& looked_for, bool ignores_case);

    std::string text;  ///< lower case, if case is ignored
    bool ignore_case;
    RarePair rare;
    double commonness;  ///< how often both bytes are expected to stand where they should, per byte of a log
};

/// Finds the first of some texts. ASCII alone has cases.
class AtomFinder {
  public:
    /// At least one.
    explicit AtomFinder(std::vector<Atom> atoms, Instructions instructions = best_instructions());

    /// Where the first one begins; the text's size if there is none.
    [[nodiscard]] std::size_t find(std::string_view text) const;

  private:
    std::vector<Atom> atoms_;
    std::vector<RarePair> pairs_;  ///< theirs
    Instructions instructions_;
};

}  // namespace pp::hub
