#pragma once

#include <string>
#include <string_view>

namespace pp::os {

/// Throws std::system_error for the current errno: "open /x/y: No such file or directory".
[[noreturn]] void throw_errno(std::string_view operation, std::string_view object = {});

/// The same for an errno value at hand.
[[noreturn]] void throw_error(int error, std::string_view operation, std::string_view object = {});

/// Text of an errno value, without the global buffer of strerror.
std::string error_text(int error);

}  // namespace pp::os
