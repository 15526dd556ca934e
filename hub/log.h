#pragma once

#include <string>

namespace pp::hub {

/// state/log/hub.log: one line each, 1 MiB and one older file. Used from the loop's thread; a full disk is
/// not its business. Whoever catches a failure writes it here, once.
class Log {
  public:
    explicit Log(std::string path) : path_{std::move(path)} {}

    void say(const std::string& text) const;

  private:
    std::string path_;
};

}  // namespace pp::hub
