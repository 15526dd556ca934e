#include <sys/timerfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>

// ticker: a line every 5 ms, the nanoseconds of the monotonic clock as it is written, until a signal ends it.
int main() {
    const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const itimerspec interval{{0, 5'000'000}, {0, 5'000'000}};
    if (timer < 0 || ::timerfd_settime(timer, 0, &interval, nullptr) != 0) return 1;
    for (std::uint64_t ticks = 0; ::read(timer, &ticks, sizeof ticks) == sizeof ticks;) {
        const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
        if (::dprintf(STDOUT_FILENO, "%lld\n", static_cast<long long>(now.count())) < 0) return 1;
    }
    return 1;
}
