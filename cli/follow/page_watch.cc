#include "cli/follow/page_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
    : loop_{loop}, path_{path}, on_change_{std::move(on_change)} {
    open();
}

PageWatch::~PageWatch() { close(); }

void PageWatch::open() {
    auto shared = std::make_shared<Shared>();
    shared->page = ring::StatePage::open(path_, os::MappedFile::Access::read);
    shared->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shared->event) os::throw_errno("eventfd");
    shared_ = std::move(shared);
    started_ = armed_ = false;
    event_watch_ = std::make_unique<os::Loop::Watch>(loop_, shared_->event.get(), POLLIN, [this](short) {
        eventfd_t count = 0;
        ::eventfd_read(shared_->event.get(), &count);
        armed_ = false;
        on_change_();
    });
}

bool PageWatch::follow_name() {
    if (shared_->page.is_at(path_) || ::access(path_.c_str(), F_OK) != 0) return false;
    close();
    open();
    return true;
}

void PageWatch::close() {
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
