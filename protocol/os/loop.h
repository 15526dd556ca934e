#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace pp::os {

/// A ppoll loop for a handful of descriptors: shim, keeper and CLI. (The hub has libevent's.)
///
/// ppoll and not epoll: a pipe that sits in an epoll set costs its writer a callback per write, even when
/// nobody waits (measured: 80-byte lines at 0.31 instead of 0.52 GB/s).
///
/// One thread. Callbacks may add and remove watches and timers, their own included.
class Loop {
  public:
    using Clock = std::chrono::steady_clock;
    using TimePoint = Clock::time_point;

    class Watch;
    class Timer;

    Loop() { refresh_now(); }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Time at the start of this turn: read once, so one turn sees one time.
    [[nodiscard]] TimePoint now() const { return now_; }

    /// Calls `prepare` before every sleep, whoever caused the turn; true means "more to do, do not sleep".
    /// For ZeroMQ, whose descriptor reports changes and not contents.
    void on_prepare(std::function<bool()> prepare) { prepare_ = std::move(prepare); }

    /// Runs turns until stop().
    void run();

    /// One turn: sleeps until a descriptor is ready or a deadline has come, then calls back.
    void turn();

    void stop() { stopped_ = true; }
    [[nodiscard]] bool stopped() const { return stopped_; }

  private:
    struct Entry {
        int fd;
        short events;
        std::function<void(short)> callback;
    };
    struct Deadline {
        TimePoint at;
        std::uint64_t id;
        auto operator<=>(const Deadline&) const = default;
    };

    void refresh_now() { now_ = Clock::now(); }
    void call_due_timers();

    std::map<std::uint64_t, std::shared_ptr<Entry>> entries_;
    std::map<Deadline, std::shared_ptr<std::function<void()>>> timers_;
    std::function<bool()> prepare_;
    std::uint64_t next_id_ = 1;
    TimePoint now_;
    bool stopped_ = false;
};

/// Watches a descriptor for as long as it lives. The descriptor is borrowed and must outlive it.
class Loop::Watch {
  public:
    /// `events` as of poll(2): POLLIN, POLLOUT; 0 waits for POLLHUP and POLLERR alone. The callback gets revents.
    Watch(Loop& loop, int fd, short events, std::function<void(short)> callback);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    void set_events(short events) { entry_->events = events; }
    /// A paused watch is not polled at all, not even for POLLHUP.
    void pause(bool paused);

  private:
    Loop& loop_;
    std::uint64_t id_;
    int fd_;
    std::shared_ptr<Entry> entry_;
};

/// One deadline, set and cleared at will. Fires once per set().
class Loop::Timer {
  public:
    Timer(Loop& loop, std::function<void()> callback);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { clear(); }

    void set(TimePoint at);
    void set(Clock::duration from_now) { set(loop_.now() + from_now); }
    void clear();
    [[nodiscard]] bool armed() const { return deadline_.has_value(); }

  private:
    Loop& loop_;
    std::shared_ptr<std::function<void()>> callback_;
    std::optional<Deadline> deadline_;
};

}  // namespace pp::os
