#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

// flood PROCESSOR BLOCK TOTAL FIFO: writes TOTAL bytes of 80-byte lines to stdout in writes of BLOCK bytes,
// then the nanoseconds that took to FIFO, if there is a reader. PROCESSOR -1: wherever.
int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const int processor = std::atoi(argv[1]);
    const std::size_t block = std::strtoull(argv[2], nullptr, 10);
    const std::size_t total = std::strtoull(argv[3], nullptr, 10);
    if (processor >= 0) {
        cpu_set_t wanted;
        CPU_ZERO(&wanted);
        CPU_SET(processor, &wanted);
        if (::sched_setaffinity(0, sizeof wanted, &wanted) != 0) return 1;
    }
    const int report = ::open(argv[4], O_WRONLY | O_CLOEXEC);
    std::string text(block, '.');
    for (std::size_t end = 79; end < block; end += 80) text[end] = '\n';

    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t left = total; left > 0;) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), left < block ? left : block);
        if (written <= 0) return 1;
        left -= static_cast<std::size_t>(written);
    }
    const std::chrono::nanoseconds taken = std::chrono::steady_clock::now() - begin;
    ::dprintf(report, "%lld\n", static_cast<long long>(taken.count()));
    return 0;
}
