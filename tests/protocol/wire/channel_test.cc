#include "protocol/wire/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>

#include "protocol/os/unique_fd.h"
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

/// Another program at the other end. It says when it is ready for us, and is told the same.
class Peer {
  public:
    /// `body` gives the exit code. No ZeroMQ context may live here yet.
    explicit Peer(const std::function<int(Peer&)>& body) {
        if (::pipe2(to_us_.data(), O_CLOEXEC) != 0 || ::pipe2(to_it_.data(), O_CLOEXEC) != 0) std::abort();
        pid_ = ::fork();
        if (pid_ == 0) ::_exit(body(*this));
    }
    ~Peer() {
        for (const int fd : {to_us_[0], to_us_[1], to_it_[0], to_it_[1]}) ::close(fd);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void say_ready() const { say(pid_ == 0 ? to_us_[1] : to_it_[1]); }
    void wait_ready() const { hear(pid_ == 0 ? to_it_[0] : to_us_[0]); }
    void stop() const {
        ::kill(pid_, SIGSTOP);
        int status = 0;
        ::waitpid(pid_, &status, WUNTRACED);
    }
    void go_on() const { ::kill(pid_, SIGCONT); }
    [[nodiscard]] int wait() const {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

  private:
    static void say(int fd) {
        if (::write(fd, "", 1) != 1) std::abort();
    }
    static void hear(int fd) {
        char byte = 0;
        if (::read(fd, &byte, 1) != 1) std::abort();
    }

    std::array<int, 2> to_us_{};
    std::array<int, 2> to_it_{};
    pid_t pid_ = -1;
};

/// Sleeps until the connection is over; what has come is left where it is.
Channel::End wait_for_end(Channel& channel) {
    while (true) {
        if (const auto end = channel.end(); end != Channel::End::none) return end;
        pollfd polled{channel.end_fd(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
}

/// The next frame, or nothing if the connection is over and none is left.
std::optional<Frame> receive_or_end(Channel& channel) {
    while (true) {
        const auto end = channel.end();  // first: what came before it is there then
        if (auto frame = channel.try_receive()) return frame;
        if (end != Channel::End::none) return std::nullopt;
        std::array<pollfd, 2> polled{pollfd{channel.fd(), POLLIN, 0}, pollfd{channel.end_fd(), POLLIN, 0}};
        ::poll(polled.data(), polled.size(), -1);
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

TEST_CASE("what was sent before the end reaches a peer that is stopped meanwhile", "[wire][channel][end]") {
    TempDir dir;
    const std::string path = dir / "s.sock";
    constexpr std::size_t kLarge = 4u << 20;  // more than the kernel takes for somebody who does not read
    const Peer peer{[&](Peer& us) {
        us.wait_ready();
        wire::Context context;
        auto channel = Channel::watched_dealer(context, path);
        channel.send("hello");
        const auto frame = receive_or_end(channel);
        return frame && frame->bytes.size() == kLarge ? 0 : 1;
    }};
    auto context = std::make_unique<wire::Context>();
    auto channel = std::make_unique<Channel>(Channel::router(*context, path));
    channel->deliver_at_end(std::chrono::minutes{1});
    peer.say_ready();
    const auto hello = receive(*channel);
    peer.stop();
    REQUIRE(channel->send(std::string(kLarge, 'x'), hello.peer));
    channel.reset();
    peer.go_on();
    context.reset();  // waits until the peer has it
    CHECK(peer.wait() == 0);
}

TEST_CASE("when the end of a connection is told, all that the peer had said is there", "[wire][channel][end]") {
    TempDir dir;
    const std::string path = dir / "s.sock";
    constexpr int kFrames = 200;
    for (int round = 0; round < 50; ++round) {
        const Peer peer{[&](Peer& us) {
            wire::Context context;
            auto channel = Channel::router(context, path);
            channel.deliver_at_end(std::chrono::minutes{1});
            us.say_ready();
            const auto hello = receive(channel);
            for (int i = 0; i < kFrames; ++i) channel.send(std::string(1000, 'x'), hello.peer);
            return 0;
        }};
        peer.wait_ready();
        wire::Context context;
        auto channel = Channel::watched_dealer(context, path);
        CHECK(channel.end() == Channel::End::none);
        channel.send("hello");
        CHECK(wait_for_end(channel) == Channel::End::disconnected);
        int received = 0;
        while (channel.try_receive()) ++received;
        REQUIRE(received == kFrames);
        CHECK(peer.wait() == 0);
    }
}

TEST_CASE("a connection that nobody takes is told as such", "[wire][channel][end]") {
    TempDir dir;
    wire::Context context;
    auto channel = Channel::watched_dealer(context, dir / "nobody.sock");
    channel.send("hello");
    CHECK(wait_for_end(channel) == Channel::End::refused);
    CHECK_FALSE(channel.try_receive());
}
