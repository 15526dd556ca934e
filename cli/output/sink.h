#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/os/loop.h"

namespace pp::cli {

/// stdout or stderr fed from the loop, so that a slow reader never keeps us from a key or a signal.
///
/// The descriptor is shared with others and so is not made non-blocking. Instead it is asked for room before
/// each write of a PIPE_BUF, which a pipe that is not full takes whole.
class Sink {
  public:
    struct Owner {
        std::function<void()> on_room;    ///< all has been written
        std::function<void()> on_closed;  ///< nobody reads any more; may be called while nothing is written
    };
    Sink(os::Loop& loop, int fd, Owner owner);

    /// Writes what there is room for and keeps the rest. Throws std::system_error where the system refuses (a
    /// full disk).
    void put(std::string_view bytes);
    /// Something is kept: put nothing more until on_room.
    [[nodiscard]] bool busy() const { return !pending_.empty(); }

  private:
    void flush();
    void on_event(short events);
    [[nodiscard]] bool has_room() const;

    int fd_;
    Owner owner_;
    std::size_t at_once_;
    std::string pending_;
    bool closed_ = false;
    std::unique_ptr<os::Loop::Watch> watch_;
};

}  // namespace pp::cli
