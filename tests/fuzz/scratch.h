#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "protocol/os/unique_fd.h"
#include "tests/fuzz/expect.h"
#include "tests/support/temp_dir.h"

namespace pp::fuzz {

/// A directory of this program's own, below TMPDIR; quick if that lies in memory.
inline const test::TempDir& scratch() {
    static const test::TempDir directory{(std::filesystem::temp_directory_path() / "pp-fuzz-").string()};
    return directory;
}

/// Makes a file of this content, in the place of one that is there.
inline void put(const std::string& path, std::string_view content) {
    const os::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    expect(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()), "a file is written");
}

}  // namespace pp::fuzz
