// Writes numbered streams at full speed until it has written enough or is told to end by SIGUSR1; says into a file how
// much that was, and ends as it was told.
//
//     torture_writer --letters m|oe --sizes big|lines|mixed --most BYTES --total FILE [--raw] (--exit CODE | --signal N)
//
// With two letters the first goes to stdout and the second to stderr, from a thread each. The most is of each.

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/torture/numbers.h"

namespace {

using pp::torture::Numbers;

constexpr std::size_t kBig = 64 << 10;
constexpr std::size_t kLargestMixed = 100'000;

std::atomic<bool> told_to_end = false;
static_assert(std::atomic<bool>::is_always_lock_free);

struct Orders {
    std::string letters = "m";
    std::string sizes = "big";
    std::uint64_t most = 1 << 20;
    std::string total;
    bool raw = false;
    int exit = 0;
    int signal = 0;
};

Orders parse(int argc, char** argv) {
    Orders orders;
    const std::vector<std::string> words{argv + 1, argv + argc};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& name = words[i];
        if (name == "--raw") {
            orders.raw = true;
            continue;
        }
        const std::string value = ++i < words.size() ? words[i] : "";
        if (name == "--letters") orders.letters = value;
        if (name == "--sizes") orders.sizes = value;
        if (name == "--most") orders.most = std::stoull(value);
        if (name == "--total") orders.total = value;
        if (name == "--exit") orders.exit = std::stoi(value);
        if (name == "--signal") orders.signal = std::stoi(value);
    }
    return orders;
}

/// Returns how many bytes were written. Nobody reads any more: then that is the end, and what was not written is missing.
std::uint64_t write_stream(int fd, char letter, const Orders& orders) {
    const Numbers numbers{letter, false};
    std::mt19937 random{static_cast<unsigned>(letter)};
    std::vector<char> buffer(kLargestMixed);
    std::uint64_t place = 0;
    while (place < orders.most && !told_to_end) {
        auto size = orders.sizes == "big" ? kBig : orders.sizes == "lines" ? numbers.record_size() : 1 + random() % kLargestMixed;
        size = std::min<std::uint64_t>(size, orders.most - place);
        numbers.fill(place, std::span{buffer}.first(size));
        for (std::size_t done = 0; done < size;) {
            const ssize_t written = ::write(fd, buffer.data() + done, size - done);
            if (written < 0 && errno != EINTR) return place;
            if (written > 0) {
                done += static_cast<std::size_t>(written);
                place += static_cast<std::uint64_t>(written);
            }
            if (told_to_end) return place;
        }
    }
    return place;
}

void make_raw() {
    termios modes{};
    if (::tcgetattr(STDOUT_FILENO, &modes) != 0) std::exit(90);
    ::cfmakeraw(&modes);
    if (::tcsetattr(STDOUT_FILENO, TCSANOW, &modes) != 0) std::exit(91);
}

void say_total(const std::string& path, std::uint64_t first, std::uint64_t second) {
    std::FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) std::exit(92);
    std::fprintf(file, "%llu %llu\n", static_cast<unsigned long long>(first), static_cast<unsigned long long>(second));
    std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
    const Orders orders = parse(argc, argv);
    struct sigaction action {};
    action.sa_handler = [](int) { told_to_end = true; };  // and no restart of a blocked write
    ::sigaction(SIGUSR1, &action, nullptr);
    if (orders.raw) make_raw();
    std::uint64_t second = 0;
    std::thread beside;
    if (orders.letters.size() > 1)
        beside = std::thread{[&] { second = write_stream(STDERR_FILENO, orders.letters[1], orders); }};
    const std::uint64_t first = write_stream(STDOUT_FILENO, orders.letters[0], orders);
    if (beside.joinable()) beside.join();
    say_total(orders.total, first, second);
    if (orders.signal != 0) {
        ::signal(orders.signal, SIG_DFL);
        ::raise(orders.signal);
    }
    ::_exit(orders.exit);
}
