#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/output/style.h"

namespace pp::cli {

struct Cell {
    std::string text;  ///< one line of printable text
    Colour colour = Colour::none;
};

/// Columns as wide as their widest cell, two blanks between. Widths are counted in characters.
class Table {
  public:
    explicit Table(std::vector<std::string> titles);
    void add(std::vector<Cell> row);
    /// With a width, the last column is cut to it. The last column is never padded.
    [[nodiscard]] std::string text(bool colours, std::size_t width = 0) const;

  private:
    [[nodiscard]] std::vector<std::size_t> widths() const;
    std::vector<std::vector<Cell>> rows_;  ///< titles first
};

}  // namespace pp::cli
