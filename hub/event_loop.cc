#include "hub/event_loop.h"

#include <event2/event.h>

#include <new>
#include <utility>

namespace pp::hub {

EventLoop::EventLoop() : base_{event_base_new()} {
    if (base_ == nullptr) throw std::bad_alloc{};
}

EventLoop::~EventLoop() {
    event_base_free(base_);
}

bool EventLoop::prepare() {
    for (auto& action : std::exchange(deferred_, {})) action();
    bool more = false;
    for (const auto& prepare : prepare_) more |= prepare();
    return more || !deferred_.empty();
}

void EventLoop::run() {
    while (!stopped_) turn();
}

void EventLoop::turn() {
    const bool more = prepare();
    if (stopped_) return;
    // NONBLOCK alone would go on for as long as any descriptor is readable, and ZeroMQ's stays so until it is
    // drained
    event_base_loop(base_, EVLOOP_ONCE | (more ? EVLOOP_NONBLOCK : 0));
}

// A callback may destroy its own watch or timer: it is copied before the call.
EventLoop::Watch::Watch(EventLoop& loop, int fd, For what, std::function<void()> callback)
    : callback_{std::move(callback)} {
    const auto call = [](evutil_socket_t, short, void* self) {
        const auto copy = static_cast<Watch*>(self)->callback_;
        copy();
    };
    const int flags = (what == For::reading ? EV_READ : EV_WRITE) | EV_PERSIST;
    event_ = event_new(loop.base(), fd, static_cast<short>(flags), call, this);
    if (event_ == nullptr) throw std::bad_alloc{};
    event_add(event_, nullptr);
}

EventLoop::Watch::~Watch() {
    event_free(event_);
}

EventLoop::Timer::Timer(EventLoop& loop, std::function<void()> callback) : callback_{std::move(callback)} {
    const auto call = [](evutil_socket_t, short, void* self) {
        const auto copy = static_cast<Timer*>(self)->callback_;
        copy();
    };
    event_ = event_new(loop.base(), -1, 0, call, this);
    if (event_ == nullptr) throw std::bad_alloc{};
}

EventLoop::Timer::~Timer() {
    event_free(event_);
}

void EventLoop::Timer::set(Clock::duration from_now) {
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(from_now).count();
    const timeval after{microseconds / 1'000'000, microseconds % 1'000'000};
    event_add(event_, &after);
}

void EventLoop::Timer::clear() {
    event_del(event_);
}

}  // namespace pp::hub
