#include "cli/follow/page_watch.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/futex.h"

namespace pp::cli {

/// Outlives the watch if the thread does: it cannot be woken by force between its last look and its sleep, so
/// it is left alone and ends with the page's next change or with the program.
struct PageWatch::Shared {
    ring::StatePage page;
    os::UniqueFd event;
    std::atomic<std::uint32_t> orders{0};  ///< counts arm(): the thread sleeps on it between them
    std::atomic<std::uint32_t> seen{0};
    std::atomic<bool> over{false};
};

PageWatch::PageWatch(os::Loop& loop, const std::string& path, std::function<void()> on_change)
    : shared_{std::make_shared<Shared>()} {
    shared_->page = ring::StatePage::open(path, os::MappedFile::Access::read);
    shared_->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared_->event) os::throw_errno("eventfd");
    auto on_event = [this, on_change = std::move(on_change)](short) {
        eventfd_t count = 0;
        ::eventfd_read(shared_->event.get(), &count);
        armed_ = false;
        on_change();
    };
    event_watch_ = std::make_unique<os::Loop::Watch>(loop, shared_->event.get(), POLLIN, std::move(on_event));
}

PageWatch::~PageWatch() {
    event_watch_.reset();
    shared_->over = true;
    shared_->orders.fetch_add(1);
    os::futex_wake_all(shared_->orders);
    os::futex_wake_all(shared_->page->wake);  // others who sleep there look again and sleep on
}

std::uint32_t PageWatch::seen() const {
    return shared_->page->wake.load(std::memory_order_acquire);
}

ring::StateSnapshot PageWatch::read() const {
    return ring::read_state(shared_->page.fd());
}

void PageWatch::arm(std::uint32_t seen) {
    if (std::exchange(armed_, true)) return;
    if (seen != this->seen()) {
        ::eventfd_write(shared_->event.get(), 1);
        return;
    }
    shared_->seen = seen;
    shared_->orders.fetch_add(1);
    if (!std::exchange(started_, true)) {
        std::thread{watch, shared_}.detach();
        return;
    }
    os::futex_wake_all(shared_->orders);
}

void PageWatch::watch(const std::shared_ptr<Shared>& shared) {
    for (std::uint32_t done = 0; !shared->over; ++done) {
        while (shared->orders == done) os::futex_wait(shared->orders, done);
        const std::uint32_t seen = shared->seen;
        const auto& word = shared->page->wake;
        while (!shared->over && word.load(std::memory_order_acquire) == seen) os::futex_wait(word, seen);
        ::eventfd_write(shared->event.get(), 1);
    }
}

}  // namespace pp::cli
