#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"

namespace pp::test {

/// A program that says one line of its stdin. Where stdin ends first, for nobody holds its other end once all of pp is dead, it
/// waits until it is told to look again.
class LateReader {
  public:
    /// `path`: a name that is free, for the FIFO by which it is told.
    explicit LateReader(std::string path) : path_{std::move(path)} {
        if (::mkfifo(path_.c_str(), 0600) != 0) os::throw_errno("mkfifo", path_);
    }
    /// For a shell.
    [[nodiscard]] std::string script() const {
        return "until read -r line; do read -r go < '" + path_ + "'; done; echo \"$line\"";
    }
    /// Sleeps until it waits.
    void look_again() const {
        const os::UniqueFd told{::open(path_.c_str(), O_WRONLY | O_CLOEXEC)};
        if (!told) os::throw_errno("open", path_);
    }

  private:
    std::string path_;
};

}  // namespace pp::test
