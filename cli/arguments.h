#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pp::cli {

/// Thrown when a verb is asked for its help: the text for main, the option names for shell completion.
struct HelpAsked {
    std::string text;
    std::vector<std::string> options;
};

/// What one verb takes from its command line. Hides CLI11, which costs 8 s a file to compile.
/// Names are written "-n,--lines". The variables are borrowed and set by parse().
class Arguments {
  public:
    Arguments(const std::string& verb, const std::string& summary);
    ~Arguments();
    Arguments(const Arguments&) = delete;
    Arguments& operator=(const Arguments&) = delete;

    void flag(const std::string& names, bool& value, const std::string& help);
    void option(const std::string& names, std::optional<std::string>& value, const std::string& meta,
                const std::string& help);
    void option(const std::string& names, std::vector<std::string>& values, const std::string& meta,
                const std::string& help);
    void positional(const std::string& meta, std::optional<std::string>& value, const std::string& help);
    void positional(const std::string& meta, std::vector<std::string>& values, const std::string& help);

    /// Throws Failure (usage) and HelpAsked.
    void parse(const std::vector<std::string>& words);

    /// How many of the words are options and their values: the first other word, or the one behind `--`,
    /// begins what is not ours.
    [[nodiscard]] std::size_t leading_options(const std::vector<std::string>& words) const;

  private:
    struct State;
    void declare(const std::string& names, bool takes_value);
    [[nodiscard]] bool takes_next_word(const std::string& word) const;
    std::unique_ptr<State> state_;
};

}  // namespace pp::cli
