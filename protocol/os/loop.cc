#include "protocol/os/loop.h"

#include <poll.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "protocol/os/error.h"

namespace pp::os {

void Loop::run() {
    while (!stopped_) turn();
}

void Loop::turn() {
    const bool more = prepare_ && prepare_();
    if (stopped_) return;

    std::vector<pollfd> polled;
    std::vector<std::shared_ptr<Entry>> owners;  // a callback may destroy the watch whose turn is next
    polled.reserve(entries_.size());
    owners.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) {
        if (entry->fd < 0) continue;
        polled.push_back({entry->fd, entry->events, 0});
        owners.push_back(entry);
    }

    timespec wait{};
    const timespec* timeout = nullptr;
    if (more) {
        timeout = &wait;
    } else if (!timers_.empty()) {
        const auto left = std::max(timers_.begin()->first.at - Clock::now(), Clock::duration::zero());
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
        wait.tv_sec = nanoseconds / 1'000'000'000;
        wait.tv_nsec = nanoseconds % 1'000'000'000;
        timeout = &wait;
    }
    const int ready = ::ppoll(polled.data(), polled.size(), timeout, nullptr);
    if (ready < 0 && errno != EINTR) throw_errno("ppoll");
    refresh_now();
    if (ready > 0) {
        for (std::size_t i = 0; i < polled.size() && !stopped_; ++i) {
            // fd -1 means: removed or paused by an earlier callback of this turn
            if (polled[i].revents == 0 || owners[i]->fd < 0) continue;
            owners[i]->callback(polled[i].revents);
        }
    }
    call_due_timers();
}

void Loop::call_due_timers() {
    while (!stopped_ && !timers_.empty() && timers_.begin()->first.at <= now_) {
        auto node = timers_.extract(timers_.begin());
        const auto callback = node.mapped();
        (*callback)();
    }
}

Loop::Watch::Watch(Loop& loop, int fd, short events, std::function<void(short)> callback)
    : loop_{loop},
      id_{loop.next_id_++},
      fd_{fd},
      entry_{std::make_shared<Entry>(Entry{fd, events, std::move(callback)})} {
    loop_.entries_.emplace(id_, entry_);
}

Loop::Watch::~Watch() {
    entry_->fd = -1;
    loop_.entries_.erase(id_);
}

void Loop::Watch::pause(bool paused) { entry_->fd = paused ? -1 : fd_; }

Loop::Timer::Timer(Loop& loop, std::function<void()> callback) : loop_{loop} {
    callback_ = std::make_shared<std::function<void()>>(std::move(callback));
}

void Loop::Timer::set(TimePoint at) {
    clear();
    deadline_ = Deadline{at, loop_.next_id_++};
    auto fire = std::make_shared<std::function<void()>>(
        [this, keep = callback_] {  // keep: the callback may destroy the timer
            deadline_.reset();
            (*keep)();
        });
    loop_.timers_.emplace(*deadline_, std::move(fire));
}

void Loop::Timer::clear() {
    if (!deadline_) return;
    loop_.timers_.erase(*deadline_);
    deadline_.reset();
}

}  // namespace pp::os
