#include "hub/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "protocol/os/error.h"

namespace pp::hub {
namespace {

os::UniqueFd make_eventfd() {
    os::UniqueFd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!fd) os::throw_errno("eventfd");
    return fd;
}

}  // namespace

Worker::Worker(EventLoop& loop, std::size_t threads)
    : wake_{make_eventfd()}, watch_{loop, wake_.get(), EventLoop::Watch::For::reading, [this] { report(); }} {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Worker::~Worker() {
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Worker::post(Job job) {
    {
        const std::lock_guard lock{mutex_};
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
}

void Worker::work() {
    std::unique_lock lock{mutex_};
    while (true) {
        changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        Then then = job();
        job = {};  // what it owns is freed on this thread, and not while the lock is held
        lock.lock();
        finished_.push_back(std::move(then));
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
    }
}

void Worker::report() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
    std::vector<Then> finished;
    {
        const std::lock_guard lock{mutex_};
        finished.swap(finished_);
    }
    for (const auto& then : finished) {
        if (then) then();
    }
}

}  // namespace pp::hub
