#pragma once

#include <stdexcept>
#include <string>

#include "cli/output/exit_code.h"

namespace pp::cli {

/// The expected way for a command not to succeed. main says it once, as `pp: text`, and exits with the code.
class Failure : public std::runtime_error {
  public:
    Failure(Exit exit, const std::string& text) : std::runtime_error{text}, exit_{exit} {}
    [[nodiscard]] Exit exit() const { return exit_; }

  private:
    Exit exit_;
};

/// Whoever read our output has left: end quietly.
class OutputClosed : public std::exception {};

}  // namespace pp::cli
