#include "bench/support/fifo.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>

#include "protocol/os/error.h"

namespace pp::bench {
namespace {

constexpr std::chrono::milliseconds kPatience{60'000};

}  // namespace

Fifo::Fifo(std::string path) : path_{std::move(path)} {
    if (::mkfifo(path_.c_str(), 0600) != 0) os::throw_errno("mkfifo", path_);
    reader_.reset(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!reader_) os::throw_errno("open", path_);
}

Fifo::~Fifo() {
    ::unlink(path_.c_str());
}

std::string Fifo::wait() const {
    pollfd polled{reader_.get(), POLLIN, 0};
    std::array<char, 256> text;
    const bool said = ::poll(&polled, 1, static_cast<int>(kPatience.count())) > 0;
    const ssize_t got = said ? ::read(reader_.get(), text.data(), text.size()) : 0;
    if (got <= 0) throw std::runtime_error("nobody has written to " + path_);
    return {text.data(), static_cast<std::size_t>(got)};
}

}  // namespace pp::bench
