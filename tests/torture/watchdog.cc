#include "tests/torture/watchdog.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace pp::torture {

Watchdog::Watchdog(std::chrono::seconds limit, const test::Installation& installation)
    : limit_{limit},
      installation_{installation},
      signals_{SIGINT, SIGTERM, SIGHUP},
      stop_{::eventfd(0, EFD_CLOEXEC)},
      thread_{[this] { watch(); }} {}

Watchdog::~Watchdog() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

Watchdog::Wait::Wait(Watchdog& dog, std::string what) : dog_{dog} {
    const std::scoped_lock lock{dog_.mutex_};
    id_ = dog_.next_id_++;
    dog_.waits_[id_] = {std::move(what), Clock::now() + dog_.limit_};
}

Watchdog::Wait::~Wait() {
    const std::scoped_lock lock{dog_.mutex_};
    dog_.waits_.erase(id_);
}

void Watchdog::watch() {
    std::array<pollfd, 2> polled = {pollfd{stop_.get(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0}};
    while (true) {
        const auto patience = this->patience();
        const timespec time{patience.count() / 1'000'000'000, patience.count() % 1'000'000'000};
        ::ppoll(polled.data(), polled.size(), &time, nullptr);
        if ((polled[0].revents & POLLIN) != 0) return;
        if ((polled[1].revents & POLLIN) != 0) {
            installation_.end_all();
            std::filesystem::remove_all(installation_.root());
            ::_exit(1);
        }
        look();
    }
}

/// All waits have the same limit, so the oldest is due first, and one that is yet to begin not before a whole limit from now.
std::chrono::nanoseconds Watchdog::patience() {
    const std::scoped_lock lock{mutex_};
    if (waits_.empty()) return limit_;
    return std::max<std::chrono::nanoseconds>(waits_.begin()->second.until - Clock::now(), std::chrono::milliseconds{1});
}

void Watchdog::look() {
    const std::scoped_lock lock{mutex_};
    if (waits_.empty() || waits_.begin()->second.until > Clock::now()) return;
    std::printf("\ntorture: VIOLATION: what is waited for does not come; see %s\n", installation_.root().c_str());
    for (const auto& [id, waiting] : waits_) {
        const auto since = limit_ - std::chrono::duration_cast<std::chrono::seconds>(waiting.until - Clock::now());
        std::printf("  for %lld s: %s\n", static_cast<long long>(since.count()), waiting.what.c_str());
    }
    std::fflush(stdout);
    installation_.end_all();
    ::_exit(1);
}

}  // namespace pp::torture
