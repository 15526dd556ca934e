#pragma once

#include <chrono>
#include <functional>

#include "hub/event_loop.h"

namespace pp::hub {

/// How long a shim or keeper that was asked may be silent before it counts as hanging. Both turn their loops in microseconds,
/// and answer a Ping between any two steps, whatever they are at. Silence has ordinary reasons all the same: a debugger, a
/// machine that swaps, a disk whose fsync stalls, a person who stops and goes on with something. They last seconds. To replace a
/// shim that would have come back costs nothing but a line in the log, so this need not be longer; it is what a caller waits
/// at most, besides.
inline constexpr std::chrono::seconds kPatience{10};

/// Somebody who may hang was asked something and owes a sign of life. No clock runs while nobody is asked.
class Patience {
  public:
    struct Callbacks {
        std::function<void()> ask;      ///< again, now and then as long as nothing comes
        std::function<void()> on_hung;  ///< the patience is at its end; may destroy this
    };
    Patience(EventLoop& loop, std::chrono::milliseconds limit, Callbacks callbacks);

    /// Somebody was asked just now. Nothing happens if it is on already.
    void begin();
    /// There was a sign of life.
    void end();
    [[nodiscard]] bool is_on() const { return is_on_; }
    /// For how long nothing has come; zero if nothing is owed.
    [[nodiscard]] std::chrono::milliseconds waited() const;

  private:
    void on_slice_end();
    void next_slice();

    EventLoop::Clock::duration slice_;
    Callbacks callbacks_;
    EventLoop::Timer timer_;
    bool is_on_ = false;
    int silent_slices_ = 0;
    EventLoop::Clock::time_point began_;
    EventLoop::Clock::time_point slice_end_;
};

}  // namespace pp::hub
