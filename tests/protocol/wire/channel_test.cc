#include "protocol/wire/channel.h"

#include <poll.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "protocol/wire/codec.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using wire::Channel;
using wire::Frame;

namespace {

/// Sleeps on the descriptor between two looks, as a loop does.
Frame receive(Channel& channel) {
    while (true) {
        if (auto frame = channel.try_receive()) return *frame;
        pollfd polled{channel.fd(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
}

}  // namespace

TEST_CASE("router and dealer talk over a socket that is ours alone", "[wire][channel]") {
    TempDir dir;
    wire::Context context;
    auto hub = Channel::router(context, dir / "s.sock");
    struct stat status {};
    REQUIRE(::stat((dir / "s.sock").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    auto shim = Channel::dealer(context, dir / "s.sock");
    CHECK_FALSE(hub.try_receive());
    REQUIRE(shim.send("hello"));
    const auto hello = receive(hub);
    CHECK(hello.bytes == "hello");
    CHECK_FALSE(hello.peer.empty());
    REQUIRE(hub.send("welcome", hello.peer));
    const auto welcome = receive(shim);
    CHECK(welcome.bytes == "welcome");
    CHECK(welcome.peer.empty());
    CHECK_FALSE(shim.try_receive());
}

TEST_CASE("a peer that is not there is told by send", "[wire][channel]") {
    TempDir dir;
    wire::Context context;
    auto hub = Channel::router(context, dir / "s.sock");
    CHECK_FALSE(hub.send("anybody?", "nobody"));
    CHECK_FALSE(hub.send("anybody?", ""));
    auto shim = Channel::dealer(context, dir / "s.sock");
    REQUIRE(shim.send("a"));
    const auto peer = receive(hub).peer;
    CHECK(hub.send("b", peer));
    CHECK_FALSE(hub.send("c", peer + "x"));
    CHECK(receive(shim).bytes == "b");
}

TEST_CASE("many messages wait behind one wake-up and none is missed", "[wire][channel]") {
    TempDir dir;
    wire::Context context;
    auto hub = Channel::router(context, dir / "s.sock");
    auto shim = Channel::dealer(context, dir / "s.sock");
    constexpr int kCount = 5000;
    for (int i = 0; i < kCount; ++i) REQUIRE(shim.send(std::to_string(i)));
    for (int i = 0; i < kCount; ++i) REQUIRE(receive(hub).bytes == std::to_string(i));
}

TEST_CASE("peers are told apart and each gets its own answer", "[wire][channel]") {
    TempDir dir;
    wire::Context context;
    auto hub = Channel::router(context, dir / "s.sock");
    std::vector<Channel> shims;
    for (int i = 0; i < 12; ++i) {
        shims.push_back(Channel::dealer(context, dir / "s.sock"));
        REQUIRE(shims.back().send(std::to_string(i)));
    }
    for (int i = 0; i < 12; ++i) {
        const auto frame = receive(hub);
        REQUIRE(hub.send("to " + frame.bytes, frame.peer));
    }
    for (std::size_t i = 0; i < shims.size(); ++i) CHECK(receive(shims[i]).bytes == "to " + std::to_string(i));
}

TEST_CASE("a message of the largest size comes through", "[wire][channel]") {
    TempDir dir;
    wire::Context context;
    auto hub = Channel::router(context, dir / "s.sock");
    auto shim = Channel::dealer(context, dir / "s.sock");
    const std::string large(wire::kMaxMessage, 'x');
    REQUIRE(shim.send(large));
    CHECK(receive(hub).bytes == large);
}

TEST_CASE("a socket that cannot be bound is an error that names it", "[wire][channel]") {
    wire::Context context;
    CHECK_THROWS_WITH(Channel::router(context, "/nonexistent/s.sock"), Catch::Contains("bind /nonexistent/s.sock"));
}
