#pragma once

#include <stdexcept>
#include <string>

namespace pp::hub {

/// What was asked cannot be done, for a reason that is the caller's to mend. The text says what would be
/// right. Thrown by operations before they begin, handed back as a value later.
class Refusal : public std::runtime_error {
  public:
    enum class Kind { failed, usage, not_found, ambiguous, timed_out };
    Refusal(Kind kind, const std::string& text) : std::runtime_error{text}, kind_{kind} {}
    [[nodiscard]] Kind kind() const { return kind_; }

  private:
    Kind kind_;
};

}  // namespace pp::hub
