// Readers against a writer at full speed, and a writer against SIGKILL. The bytes are 8-byte words that hold their own
// number, so that each can be checked from its cursor alone: a torn read, a lost or doubled byte cannot pass. That the
// check can fail is shown by a reader without the second look ("accepts torn bytes").
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <new>
#include <random>
#include <thread>

#include "protocol/os/futex.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using ring::Stream;

namespace {

/// Byte of the endless stream of numbered words.
std::uint8_t byte_at(std::uint64_t cursor) { return static_cast<std::uint8_t>(cursor / 8 >> (cursor % 8 * 8)); }

void fill(std::span<std::byte> buffer, std::uint64_t cursor) {
    std::size_t i = 0;
    for (; i < buffer.size() && (cursor + i) % 8 != 0; ++i) buffer[i] = std::byte{byte_at(cursor + i)};
    for (; i + 8 <= buffer.size(); i += 8) {
        const std::uint64_t word = (cursor + i) / 8;
        std::memcpy(&buffer[i], &word, 8);
    }
    for (; i < buffer.size(); ++i) buffer[i] = std::byte{byte_at(cursor + i)};
}

bool right(std::span<const std::byte> bytes, std::uint64_t cursor) {
    std::size_t i = 0;
    for (; i < bytes.size() && (cursor + i) % 8 != 0; ++i) {
        if (bytes[i] != std::byte{byte_at(cursor + i)}) return false;
    }
    for (; i + 8 <= bytes.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, &bytes[i], 8);
        if (word != (cursor + i) / 8) return false;
    }
    for (; i < bytes.size(); ++i) {
        if (bytes[i] != std::byte{byte_at(cursor + i)}) return false;
    }
    return true;
}

/// Shared with a source: when it is to end, and how much it had written then.
struct SourceControl {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> total{0};
};

/// A child that writes `total` bytes of the stream into a pipe and ends; or fewer, if it is told to stop.
pid_t start_source(const Pipe& pipe, std::uint64_t total, SourceControl* control = nullptr) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::fcntl(pipe.write_end.get(), F_SETFL, 0);
    static std::array<std::byte, 64 << 10> buffer;
    for (std::uint64_t cursor = 0; cursor < total && (control == nullptr || !control->stop.load());) {
        const auto size = std::min<std::uint64_t>(buffer.size(), total - cursor);
        fill(std::span{buffer}.first(size), cursor);
        for (std::size_t done = 0; done < size;) {
            const ssize_t put = ::write(pipe.write_end.get(), buffer.data() + done, size - done);
            if (put <= 0) ::_exit(1);
            done += static_cast<std::size_t>(put);
        }
        cursor += size;
        if (control != nullptr) control->total.store(cursor);
    }
    ::_exit(0);
}

/// Captures a pipe until its end. Async-signal-safety is not asked for: it may run in a forked child of a one-thread test.
void capture(ring::Writer& writer, int pipe) {
    while (true) {
        switch (writer.take(pipe, Stream::merged, 1, 1 << 20).what) {
            case ring::Writer::Taken::What::bytes:
            case ring::Writer::Taken::What::dropped: break;
            case ring::Writer::Taken::What::nothing: {
                pollfd polled{pipe, POLLIN, 0};
                ::poll(&polled, 1, -1);
                break;
            }
            case ring::Writer::Taken::What::end_of_file:
            case ring::Writer::Taken::What::failed: return;
        }
    }
}

struct Tally {
    std::uint64_t read = 0;
    std::uint64_t lost = 0;
    std::uint64_t wrong = 0;
    std::uint64_t next = 0;
};

/// Reads along until `done` and the tail is reached.
Tally read_along(const TestRing& ring, std::size_t buffer_size, const std::atomic<bool>& done) {
    Tally tally;
    auto reader = ring.reader();
    std::vector<std::byte> buffer(buffer_size);
    while (true) {
        const bool last = done.load();
        // from as far back as there is: nearest to where the writer overwrites
        const auto read = reader.read(tally.next, UINT64_MAX, buffer);
        if (read.size > 0 && !right(std::span{buffer}.first(read.size), read.next - read.size)) ++tally.wrong;
        tally.read += read.size;
        tally.lost += read.lost;
        if (read.next == tally.next && last) return tally;
        tally.next = read.next;
    }
}

/// The same without the second look at `reserve`: what a mapped or naive reader would do.
std::uint64_t count_torn_without_check(const TestRing& ring, const std::atomic<bool>& done) {
    const os::UniqueFd page{::open(ring.reader_paths().state.c_str(), O_RDONLY | O_CLOEXEC)};
    const os::UniqueFd file{::open(ring.reader_paths().ring.c_str(), O_RDONLY | O_CLOEXEC)};
    std::vector<std::byte> buffer(16 << 10);
    std::uint64_t torn = 0;
    while (!done.load()) {
        const auto state = ring::read_state(page.get());
        if (state.tail < state.geometry.capacity) continue;
        const auto cursor = state.tail - state.geometry.capacity;  // readable when the page was read
        const auto room = state.geometry.capacity - cursor % state.geometry.capacity;
        const auto want = std::min<std::uint64_t>(buffer.size(), room);
        const ssize_t got = ::pread(file.get(), buffer.data(), want, static_cast<off_t>(state.geometry.offset_of(cursor)));
        if (got > 0 && !right(std::span{buffer}.first(static_cast<std::size_t>(got)), cursor)) ++torn;
    }
    return torn;
}

void wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace

TEST_CASE("torn bytes are never accepted, and lost and read add up, at full speed", "[ring][race]") {
    struct Case {
        std::uint64_t capacity;
        std::uint64_t total;
    };
    for (const Case& c : {Case{64 << 10, 200 << 20}, Case{256 << 10, 200 << 20}, Case{1 << 20, 200 << 20}, Case{4 << 20, 400 << 20}}) {
        TestRing ring{c.capacity};
        Pipe pipe = make_pipe(1 << 20, true);
        const pid_t source = start_source(pipe, c.total);
        pipe.write_end.reset();
        std::atomic<bool> done{false};
        std::array<Tally, 3> tallies;
        const std::array<std::size_t, 3> sizes{4096 + 3, 64 << 10, 256 << 10};
        std::vector<std::thread> readers;
        for (std::size_t i = 0; i < sizes.size(); ++i)
            readers.emplace_back([&, i] { tallies[i] = read_along(ring, sizes[i], done); });
        capture(ring.writer(), pipe.read_end.get());
        done.store(true);
        for (auto& reader : readers) reader.join();
        wait_for(source);
        CHECK(ring.writer().tail() == c.total);
        for (const Tally& tally : tallies) {
            CAPTURE(c.capacity, tally.read, tally.lost);
            CHECK(tally.wrong == 0);
            CHECK(tally.read + tally.lost == c.total);
            CHECK(tally.next == c.total);
        }
    }
}

TEST_CASE("a reader without the second look accepts torn bytes, so the test above can fail", "[ring][race]") {
    TestRing ring{64 << 10};
    Pipe pipe = make_pipe(1 << 20, true);
    const pid_t source = start_source(pipe, 300 << 20);
    pipe.write_end.reset();
    std::atomic<bool> done{false};
    std::uint64_t torn = 0;
    std::thread reader{[&] { torn = count_torn_without_check(ring, done); }};
    capture(ring.writer(), pipe.read_end.get());
    done.store(true);
    reader.join();
    wait_for(source);
    CHECK(torn > 0);
}

TEST_CASE("a writer killed again and again loses and doubles no byte", "[ring][race][succession]") {
    constexpr int kKills = 250;
    constexpr std::uint64_t kMaxStep = 1 << 20;
    TestRing ring{1 << 20};
    const auto paths = ring.paths();
    Pipe pipe = make_pipe(256 << 10, true);
    std::mt19937 random{static_cast<unsigned>(::getpid())};
    void* const shared = ::mmap(nullptr, sizeof(SourceControl), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    auto* const control = new (shared) SourceControl;
    const pid_t source = start_source(pipe, UINT64_MAX, control);
    pipe.write_end.reset();

    auto reader = ring.reader();
    std::vector<std::byte> buffer(256 << 10);
    Tally tally;
    const auto read_some = [&] {
        while (true) {
            const auto read = reader.read(tally.next, UINT64_MAX, buffer);
            if (read.size > 0 && !right(std::span{buffer}.first(read.size), read.next - read.size)) ++tally.wrong;
            tally.read += read.size;
            tally.lost += read.lost;
            if (read.next == tally.next) return;
            tally.next = read.next;
        }
    };
    int kills = 0;
    bool finished = false;
    while (!finished) {
        Pipe ready = make_pipe();
        const pid_t writer = ::fork();
        if (writer == 0) {
            auto successor = ring::Writer::open(paths, 1, 1 << 20);
            successor.set_generation(static_cast<std::uint16_t>(kills));
            const char go = 1;
            if (::write(ready.write_end.get(), &go, 1) != 1) ::_exit(1);
            capture(successor, pipe.read_end.get());
            ::_exit(0);
        }
        ready.write_end.reset();
        char go = 0;
        REQUIRE(::read(ready.read_end.get(), &go, 1) == 1);
        if (kills < kKills) {
            // at a moment that is random but needs no clock: when so many bytes more have been written
            const auto target = reader.refresh().tail + random() % kMaxStep;
            const auto page = ring::StatePage::open(paths.state, os::MappedFile::Access::read);
            while (page->tail.load() < target && ::waitpid(writer, nullptr, WNOHANG) == 0) {
            }
            ::kill(writer, SIGKILL);
            if (++kills == kKills) control->stop.store(true);
        }
        int status = 0;
        while (::waitpid(writer, &status, 0) < 0 && errno == EINTR) {
        }
        finished = WIFEXITED(status);
        read_some();
    }
    wait_for(source);
    const auto total = control->total.load();
    ::munmap(shared, sizeof(SourceControl));
    CHECK(kills == kKills);
    CHECK(tally.wrong == 0);
    CHECK(reader.refresh().tail == total);
    CHECK(tally.read + tally.lost == total);
    std::uint64_t newlines = 0;
    for (std::uint64_t cursor = 0; cursor < total; ++cursor) newlines += byte_at(cursor) == '\n' ? 1 : 0;
    ring.reopen();
    CHECK(reader.refresh().lines == newlines);
}

TEST_CASE("a follower that sleeps on the page misses no line", "[ring][race][follow]") {
    constexpr int kLines = 20000;
    TestRing ring;
    std::atomic<std::uint64_t> acknowledged{0};
    std::uint64_t wrong = 0;
    std::thread follower{[&] {
        auto reader = ring.reader();
        const auto page = ring::StatePage::open(ring.paths().state, os::MappedFile::Access::read);
        std::vector<std::byte> buffer(4096);
        std::uint64_t cursor = 0;
        for (int line = 0; line < kLines;) {
            const auto seen = page->wake.load(std::memory_order_acquire);
            const auto read = reader.read(cursor, UINT64_MAX, buffer);
            if (read.size == 0) {
                os::futex_wait(page->wake, seen);
                continue;
            }
            if (read.lost > 0) ++wrong;
            for (std::size_t i = 0; i < read.size; ++i) line += buffer[i] == std::byte{'\n'} ? 1 : 0;
            cursor = read.next;
            acknowledged.store(cursor);
            acknowledged.notify_one();
        }
    }};
    std::uint64_t written = 0;
    for (int line = 0; line < kLines; ++line) {
        const std::string text = std::to_string(line) + "\n";
        ring.write(text);
        written += text.size();
        // every line is the last one for a while: were its wake-up missed, both would sleep for ever
        if (line % 4 != 0) continue;
        for (auto seen = acknowledged.load(); seen < written; seen = acknowledged.load()) acknowledged.wait(seen);
    }
    follower.join();
    CHECK(wrong == 0);
    CHECK(acknowledged.load() == written);
}
