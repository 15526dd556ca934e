#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace pp::ring {

/// Why a text is no pattern, and where, for a person.
class BadPattern : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What lines are looked for: a regular expression (RE2) or a literal text. Each line is tried for itself, in time linear in its
/// length; `^` and `$` are its ends, and nothing matches a newline. UTF-8, so `.` is a character.
class LinePattern {
  public:
    static constexpr std::size_t kLongest = 4096;  ///< bytes

    struct Options {
        bool literal = false;  ///< the text itself; else a regular expression
        bool ignore_case = false;
    };
    /// Throws BadPattern; what() goes on behind the pattern's name: "is no regular expression …".
    LinePattern(const std::string& text, Options options);
    explicit LinePattern(const std::string& text) : LinePattern{text, Options{}} {}
    ~LinePattern();
    LinePattern(LinePattern&&) noexcept;
    LinePattern& operator=(LinePattern&&) noexcept;

    [[nodiscard]] bool matches(std::string_view line) const;

    struct Match {
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    /// The first match in a line.
    [[nodiscard]] std::optional<Match> find(std::string_view line) const;

    /// It may also be tried on a text of many lines: it then matches within one of them, wherever none of \A \z \C stands
    /// in it and `m` is not turned off.
    [[nodiscard]] const re2::RE2& expression() const { return *expression_; }
    /// The text, if it is nothing but a literal.
    [[nodiscard]] const std::optional<std::string>& literal() const { return literal_; }
    [[nodiscard]] bool ignores_case() const { return ignores_case_; }

  private:
    std::unique_ptr<re2::RE2> expression_;
    std::optional<std::string> literal_;
    bool ignores_case_ = false;
};

}  // namespace pp::ring
