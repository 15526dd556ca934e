#include "protocol/os/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"

using namespace pp;
using os::Loop;
using namespace std::chrono_literals;

namespace {

/// A pipe with a byte in it: always readable.
struct Readable {
    Readable() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0 || ::write(ends[1], "x", 1) != 1) throw std::runtime_error("pipe");
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
    os::UniqueFd read_end;
    os::UniqueFd write_end;
};

}  // namespace

TEST_CASE("a watch is called with what its descriptor is ready for", "[os][loop]") {
    Loop loop;
    Readable pipe;
    short seen = 0;
    Loop::Watch watch{loop, pipe.read_end.get(), POLLIN, [&](short events) { seen = events; }};
    loop.turn();
    CHECK((seen & POLLIN) != 0);
    char byte = 0;
    REQUIRE(::read(pipe.read_end.get(), &byte, 1) == 1);
    pipe.write_end.reset();
    watch.set_events(0);
    loop.turn();
    CHECK(seen == POLLHUP);
}

TEST_CASE("a paused watch is not called, not even for a hang-up", "[os][loop]") {
    Loop loop;
    Readable pipe;
    int calls = 0;
    Loop::Watch watch{loop, pipe.read_end.get(), POLLIN, [&](short) { ++calls; }};
    pipe.write_end.reset();
    watch.pause(true);
    Loop::Timer timer{loop, [] {}};
    timer.set(0ms);
    loop.turn();
    CHECK(calls == 0);
    watch.pause(false);
    loop.turn();
    CHECK(calls == 1);
}

TEST_CASE("a watch may remove itself in its callback", "[os][loop]") {
    Loop loop;
    Readable pipe;
    int calls = 0;
    std::unique_ptr<Loop::Watch> watch;
    watch = std::make_unique<Loop::Watch>(loop, pipe.read_end.get(), POLLIN, [&, keep = std::string(100, 'x')](short) {
        watch.reset();
        calls += static_cast<int>(keep.size()) / 100;  // what the callback holds lives until it returns
    });
    loop.turn();
    Loop::Timer timer{loop, [] {}};
    timer.set(0ms);
    loop.turn();
    CHECK(calls == 1);
}

TEST_CASE("a watch may remove or pause another whose turn is next", "[os][loop]") {
    Loop loop;
    Readable a;
    Readable b;
    Readable c;
    std::unique_ptr<Loop::Watch> second;
    std::unique_ptr<Loop::Watch> third;
    int first_calls = 0;
    int later_calls = 0;
    Loop::Watch first{loop, a.read_end.get(), POLLIN, [&](short) {
                          ++first_calls;
                          second.reset();
                          third->pause(true);
                      }};
    second = std::make_unique<Loop::Watch>(loop, b.read_end.get(), POLLIN, [&](short) { ++later_calls; });
    third = std::make_unique<Loop::Watch>(loop, c.read_end.get(), POLLIN, [&](short) { ++later_calls; });
    loop.turn();
    loop.turn();
    CHECK(first_calls == 2);
    CHECK(later_calls == 0);
}

TEST_CASE("a watch that is added in a callback has its turn in the next", "[os][loop]") {
    Loop loop;
    Readable a;
    Readable b;
    std::unique_ptr<Loop::Watch> added;
    int calls = 0;
    Loop::Watch first{loop, a.read_end.get(), POLLIN, [&](short) {
                          if (!added)
                              added = std::make_unique<Loop::Watch>(loop, b.read_end.get(), POLLIN,
                                                                    [&](short) { ++calls; });
                      }};
    loop.turn();
    CHECK(calls == 0);
    loop.turn();
    CHECK(calls == 1);
}

TEST_CASE("timers fire once, in the order of their deadlines", "[os][loop]") {
    Loop loop;
    std::string order;
    Loop::Timer late{loop, [&] { order += "c"; }};
    Loop::Timer early{loop, [&] { order += "a"; }};
    Loop::Timer cleared{loop, [&] { order += "!"; }};
    Loop::Timer middle{loop, [&] { order += "b"; }};
    late.set(20ms);
    early.set(1ms);
    cleared.set(5ms);
    middle.set(10ms);
    CHECK(cleared.armed());
    cleared.clear();
    CHECK_FALSE(cleared.armed());
    while (late.armed()) loop.turn();
    CHECK(order == "abc");
    CHECK_FALSE(early.armed());
}

TEST_CASE("a timer may set itself again, clear others and destroy itself", "[os][loop]") {
    Loop loop;
    int ticks = 0;
    int others = 0;
    std::unique_ptr<Loop::Timer> doomed;
    Loop::Timer other{loop, [&] { ++others; }};
    std::unique_ptr<Loop::Timer> ticking;
    ticking = std::make_unique<Loop::Timer>(loop, [&] {
        ++ticks;
        if (ticks == 1) {
            other.clear();
            doomed.reset();
        }
        if (ticks < 3)
            ticking->set(0ms);
        else
            ticking.reset();
    });
    doomed = std::make_unique<Loop::Timer>(loop, [&] { ++others; });
    ticking->set(0ms);
    other.set(0ms);
    doomed->set(0ms);
    while (ticking) loop.turn();
    CHECK(ticks == 3);
    CHECK(others == 0);
}

TEST_CASE("a timer set again fires at the new time alone", "[os][loop]") {
    Loop loop;
    int calls = 0;
    Loop::Timer timer{loop, [&] { ++calls; }};
    timer.set(1h);
    timer.set(0ms);
    loop.turn();
    CHECK(calls == 1);
    CHECK_FALSE(timer.armed());
}

TEST_CASE("prepare is asked before each sleep, and with more to do there is none", "[os][loop]") {
    Loop loop;
    int asked = 0;
    loop.on_prepare([&] { return ++asked < 3; });
    Loop::Timer timer{loop, [&] { loop.stop(); }};
    loop.turn();
    loop.turn();
    CHECK(asked == 2);
    timer.set(0ms);
    loop.run();
    CHECK(asked == 3);
    CHECK(loop.stopped());
}

TEST_CASE("a stop in a callback is the last thing of the turn", "[os][loop]") {
    Loop loop;
    Readable a;
    Readable b;
    int calls = 0;
    Loop::Watch first{loop, a.read_end.get(), POLLIN, [&](short) {
                          ++calls;
                          loop.stop();
                      }};
    Loop::Watch second{loop, b.read_end.get(), POLLIN, [&](short) { ++calls; }};
    loop.run();
    CHECK(calls == 1);
}

TEST_CASE("a signal becomes an event of the loop", "[os][loop]") {
    Loop loop;
    os::SignalFd signals{SIGUSR1, SIGUSR2};
    std::string seen;
    Loop::Watch watch{loop, signals.get(), POLLIN, [&](short) {
                          while (const auto info = signals.try_read()) seen += info->ssi_signo == SIGUSR1 ? "1" : "2";
                      }};
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    loop.turn();
    CHECK(seen == "12");
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    ::sigprocmask(SIG_UNBLOCK, &both, nullptr);
}
