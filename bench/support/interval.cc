#include "bench/support/interval.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>

#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"

namespace pp::bench {

void let_pass(std::chrono::milliseconds time) {
    const os::UniqueFd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    itimerspec once{};
    once.it_value.tv_sec = time.count() / 1000;
    once.it_value.tv_nsec = time.count() % 1000 * 1'000'000;
    std::uint64_t ticks = 0;
    if (::timerfd_settime(timer.get(), 0, &once, nullptr) != 0 ||
        ::read(timer.get(), &ticks, sizeof ticks) != sizeof ticks)
        os::throw_errno("timerfd");
}

}  // namespace pp::bench
