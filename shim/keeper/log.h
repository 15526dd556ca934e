#pragma once

#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::keeper {

/// state/log/keeper.log: one line for each thing that happens, 1 MiB and one older file. Kept open: where no descriptor is
/// left there is something to say. A full disk is not its business.
class Log {
  public:
    explicit Log(std::string path);

    void say(const std::string& text);

  private:
    bool open();

    std::string path_;
    os::UniqueFd fd_;
};

}  // namespace pp::keeper
