#pragma once

#include <string_view>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// A file in memory with this content, gone with its descriptor. Throws std::system_error (EMFILE, ENOMEM).
UniqueFd make_memory_file(std::string_view content);

}  // namespace pp::os
