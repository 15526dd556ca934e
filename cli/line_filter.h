#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace pp::cli {

/// A regular expression that lines are tried against, in time linear in their length (RE2).
class LineFilter {
  public:
    /// Throws Failure (usage) with what is wrong with the expression.
    explicit LineFilter(const std::string& expression);
    ~LineFilter();
    LineFilter(const LineFilter&) = delete;
    LineFilter& operator=(const LineFilter&) = delete;

    [[nodiscard]] bool matches(std::string_view line) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pp::cli
