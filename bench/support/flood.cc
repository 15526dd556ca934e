#include "bench/support/flood.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

#include "bench/support/spawned.h"
#include "protocol/os/error.h"

namespace pp::bench {
namespace {

constexpr std::chrono::milliseconds kPatience{60'000};

}  // namespace

Flood::Flood(std::string fifo, int processor, std::uint64_t block, std::uint64_t total)
    : fifo_{std::move(fifo)}, processor_{processor}, block_{block}, total_{total} {
    if (::mkfifo(fifo_.c_str(), 0600) != 0) os::throw_errno("mkfifo", fifo_);
    reader_.reset(::open(fifo_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!reader_) os::throw_errno("open", fifo_);
}

Flood::~Flood() {
    ::unlink(fifo_.c_str());
}

std::vector<std::string> Flood::argv() const {
    return {program("bench_flood"), std::to_string(processor_), std::to_string(block_),
            std::to_string(total_), fifo_};
}

Seconds Flood::wait() {
    pollfd polled{reader_.get(), POLLIN, 0};
    std::array<char, 64> text{};
    if (::poll(&polled, 1, static_cast<int>(kPatience.count())) <= 0 ||
        ::read(reader_.get(), text.data(), text.size() - 1) <= 0)
        throw std::runtime_error("the child that should write " + std::to_string(total_) + " bytes has not");
    return std::chrono::nanoseconds{std::atoll(text.data())};
}

}  // namespace pp::bench
