#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pp::cli {

/// How lines that were found are written, as grep does: `name:12:text`, a line beside one that matches as `name-11-text`, `--`
/// where lines between are left out.
class FoundLines {
  public:
    struct Style {
        bool names = false;    ///< each line begins with the process's name
        bool groups = false;   ///< `--` between lines that do not follow each other
        bool colour = false;
    };
    explicit FoundLines(Style style) : style_{style} {}

    /// The lines of one entry of search_logs' `processes`. Further ones of the same process go on where the last ended.
    std::string text(const nlohmann::json& process, const std::string& name);

  private:
    std::string line_text(const nlohmann::json& line, const std::string& name) const;

    Style style_;
    std::string last_;  ///< the process whose lines were written last
};

}  // namespace pp::cli
