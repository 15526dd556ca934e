#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

struct event;
struct event_base;

namespace pp::hub {

/// libevent's loop for the one thread that owns the hub's state: the only file that arms libevent's events,
/// besides the HTTP server. ZeroMQ joins it by on_prepare: its descriptors report changes and not contents.
class EventLoop {
  public:
    using Clock = std::chrono::steady_clock;

    class Watch;
    class Timer;

    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    [[nodiscard]] event_base* base() const { return base_; }

    /// Calls `prepare` before every sleep, whoever caused the turn; true means "something was done, do not
    /// sleep": the loop sleeps only when all have found nothing to do.
    void on_prepare(std::function<bool()> prepare) { prepare_.push_back(std::move(prepare)); }
    /// Calls `action` once, before the next sleep and outside of any other callback.
    void defer(std::function<void()> action) { deferred_.push_back(std::move(action)); }

    /// Runs turns until stop().
    void run();
    /// One turn: what was deferred, what ZeroMQ has, then what a descriptor or a deadline brings.
    void turn();
    void stop() { stopped_ = true; }

  private:
    bool prepare();

    event_base* base_;
    std::vector<std::function<bool()>> prepare_;
    std::vector<std::function<void()>> deferred_;
    bool stopped_ = false;
};

/// Watches a descriptor for as long as it lives. The descriptor is borrowed and must outlive it.
class EventLoop::Watch {
  public:
    enum class For { reading, writing };
    Watch(EventLoop& loop, int fd, For what, std::function<void()> callback);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

  private:
    event* event_;
    std::function<void()> callback_;
};

/// One deadline, set and cleared at will. Fires once per set().
class EventLoop::Timer {
  public:
    Timer(EventLoop& loop, std::function<void()> callback);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer();

    void set(Clock::duration from_now);
    void clear();

  private:
    event* event_;
    std::function<void()> callback_;
};

}  // namespace pp::hub
