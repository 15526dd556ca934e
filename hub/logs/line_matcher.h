#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/logs/byte_search.h"
#include "protocol/ring/line_pattern.h"
#include "protocol/ring/plain_text.h"

namespace pp::hub {

/// A line within a block, with its newline if it has one.
struct LineSpan {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool operator==(const LineSpan&) const = default;
};

/// Finds the lines of a log that match, many at a time.
///
/// What is tried is the line as a reader is shown it, its plain view: where colour codes stand within a word, the word is found
/// all the same, and what a carriage return let be overwritten is not. Of most lines both are the same, and these are searched
/// where they lie: for texts that the expression needs, by vectors; then, or without such, by RE2.
class LineMatcher {
  public:
    /// The pattern is borrowed.
    explicit LineMatcher(const ring::LinePattern& pattern, Instructions instructions = best_instructions());

    [[nodiscard]] const ring::LinePattern& pattern() const { return pattern_; }

    /// Appends the lines that match, in order. A block begins where a line does; the last line may lack its newline.
    void find(std::string_view block, std::vector<LineSpan>& lines);

  private:
    enum class Way {
        literal,  ///< a line that has the text matches
        atoms,    ///< a line that has none of them does not
        block,    ///< RE2 over many lines at once
        each,     ///< RE2 over each line
    };
    static Way way_for(const ring::LinePattern& pattern, bool has_atoms);
    void find_in_plain(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const;
    void find_by_atoms(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const;
    void find_in_block(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const;
    void find_in_each(std::string_view text, std::size_t from, std::vector<LineSpan>& lines) const;
    void take_other(std::string_view line, LineSpan span, std::vector<LineSpan>& lines);
    void find_in_views(std::vector<LineSpan>& lines);

    const ring::LinePattern& pattern_;
    Instructions instructions_;
    std::optional<AtomFinder> finder_;
    Way way_;

    ring::PlainText plain_text_;
    std::string view_;
    /// Views of lines that are ASCII, one behind the other, and which lines they are.
    std::string views_;
    struct View {
        std::size_t begin = 0;
        LineSpan line;
    };
    std::vector<View> viewed_;
    std::vector<LineSpan> found_in_views_;
};

}  // namespace pp::hub
