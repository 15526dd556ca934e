#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "protocol/os/error.h"

namespace pp::test {

/// A directory of the test's own, removed with all that is in it.
class TempDir {
  public:
    explicit TempDir(std::string prefix = "/tmp/pp-test-") : path_{std::move(prefix) + "XXXXXX"} {
        if (::mkdtemp(path_.data()) == nullptr) os::throw_errno("mkdtemp", path_);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

}  // namespace pp::test
