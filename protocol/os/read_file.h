#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace pp::os {

/// The whole content of a small file; nothing if it cannot be opened or read, or is larger than `limit` bytes.
/// Reads to EOF and not to st_size, so it serves /proc too.
std::optional<std::string> find_file_content(const std::string& path, std::size_t limit = 16u << 20);

}  // namespace pp::os
