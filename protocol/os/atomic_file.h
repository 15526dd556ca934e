#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace pp::os {

/// Replaces `path` by a new file with this content: written beside it as `path.new`, optionally fsynced, renamed.
/// A reader sees the old or the new content, never a part. Throws std::system_error naming the step that failed;
/// the old file is then untouched and nothing is left beside it.
enum class Durability { rename_only, fsync };
void write_atomic_file(const std::string& path, std::string_view content, mode_t mode,
                       Durability durability = Durability::rename_only);

}  // namespace pp::os
