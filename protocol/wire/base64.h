#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pp::wire {

/// RFC 4648, with padding: bytes that are no text, inside JSON.
std::string to_base64(std::string_view bytes);
/// Nothing unless every character is of the alphabet and the padding is whole.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace pp::wire
