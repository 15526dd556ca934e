#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "hub/logs/excerpts.h"

namespace pp::hub {

/// Lines that are shown together, within a number of matching lines and a budget of characters. Lines that are neighbours of
/// several hits are there once.
class FoundPage {
  public:
    struct Limits {
        std::uint64_t matches = UINT64_MAX;
        std::size_t characters = SIZE_MAX;
    };
    /// Nothing is shown that ends before `after`. The excerpts are borrowed.
    FoundPage(Excerpts& excerpts, Limits limits, std::uint64_t after);

    /// Takes the next hit in order; false if there is no room for it, and for none from then on. There is room for the first
    /// one, whatever its size.
    bool add(const Hit& hit);

    /// Goes on with more room, for hits further behind.
    void reopen(Limits more);

    [[nodiscard]] bool full() const { return full_; }
    /// Matching lines.
    [[nodiscard]] std::uint64_t shown() const { return shown_; }
    [[nodiscard]] std::size_t characters() const { return characters_; }
    /// Behind the last line, and behind the last one that matches; `after` if there is none.
    [[nodiscard]] std::uint64_t end() const { return end_; }
    [[nodiscard]] std::uint64_t last_match() const { return last_match_; }
    std::vector<FoundLine> take_lines() { return std::move(lines_); }

  private:
    void append(Excerpt excerpt);

    Excerpts& excerpts_;
    Limits limits_;
    std::uint64_t end_;
    std::uint64_t last_match_;
    bool full_;
    std::uint64_t shown_ = 0;
    std::size_t characters_ = 0;
    std::vector<FoundLine> lines_;
};

/// What a line takes of a page's characters beside its text: number, cursor and time are shown too.
inline constexpr std::size_t kLineOverhead = 16;
/// Characters that lines take in a page.
std::size_t characters_of(const std::vector<FoundLine>& lines);

}  // namespace pp::hub
