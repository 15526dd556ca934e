#include "protocol/os/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <system_error>

#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using os::ReceiveEnd;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }

struct Got {
    std::string text;
    std::optional<os::Received> received;
    ReceiveEnd end{};
};
Got receive(int socket, std::size_t room = 100) {
    std::string buffer(room, '\0');
    Got got;
    got.received = os::receive_message(socket, std::as_writable_bytes(std::span{buffer}), got.end);
    if (got.received) got.text = buffer.substr(0, got.received->size);
    return got;
}

}  // namespace

TEST_CASE("messages keep their bounds and an empty queue is no end", "[os][socket]") {
    const auto [a, b] = os::seqpacket_pair();
    CHECK(receive(b.get()).end == ReceiveEnd::nothing_waits);
    REQUIRE(os::send_message(a.get(), bytes("one")));
    REQUIRE(os::send_message(a.get(), bytes("second")));
    CHECK(receive(b.get()).text == "one");
    CHECK(receive(b.get()).text == "second");
    CHECK_FALSE(receive(b.get()).received);
}

TEST_CASE("a peer that is gone is the end, and a send to it is refused without a signal", "[os][socket]") {
    auto [a, b] = os::seqpacket_pair();
    a.reset();
    const auto got = receive(b.get());
    CHECK_FALSE(got.received);
    CHECK(got.end == ReceiveEnd::closed);
    CHECK_FALSE(os::send_message(b.get(), bytes("x")));
}

TEST_CASE("a message that does not fit says that it was truncated", "[os][socket]") {
    const auto [a, b] = os::seqpacket_pair();
    REQUIRE(os::send_message(a.get(), bytes("a long message")));
    const auto got = receive(b.get(), 6);
    CHECK(got.text == "a long");
    CHECK(got.received->truncated);
    CHECK_FALSE(receive(b.get()).received);  // the rest is gone with it
    REQUIRE(os::send_message(a.get(), bytes("fits")));
    CHECK_FALSE(receive(b.get()).received->truncated);
}

TEST_CASE("descriptors are passed as duplicates that are closed on exec", "[os][socket]") {
    const auto [a, b] = os::seqpacket_pair();
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    os::UniqueFd read_end{ends[0]};
    os::UniqueFd write_end{ends[1]};
    const std::array<int, 2> passed{read_end.get(), write_end.get()};
    REQUIRE(os::send_message(a.get(), bytes("take"), passed));
    read_end.reset();
    write_end.reset();
    auto got = receive(b.get());
    REQUIRE(got.received);
    REQUIRE(got.received->fds.size() == 2);
    for (const auto& fd : got.received->fds) CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(::write(got.received->fds[1].get(), "x", 1) == 1);
    char byte = 0;
    CHECK(::read(got.received->fds[0].get(), &byte, 1) == 1);
    CHECK(byte == 'x');
}

TEST_CASE("as many descriptors as a message may hold come through", "[os][socket]") {
    const auto [a, b] = os::seqpacket_pair();
    const std::vector<int> many(os::kMaxFdsPerMessage, a.get());
    REQUIRE(os::send_message(a.get(), bytes("x"), many));
    const auto got = receive(b.get());
    REQUIRE(got.received);
    CHECK(got.received->fds.size() == os::kMaxFdsPerMessage);
    CHECK_FALSE(got.received->truncated);
}

TEST_CASE("what a peer sent before it closed comes, though it left something unread", "[os][socket]") {
    auto [a, b] = os::seqpacket_pair();
    REQUIRE(os::send_message(a.get(), bytes("unread")));
    REQUIRE(os::send_message(b.get(), bytes("one")));
    REQUIRE(os::send_message(b.get(), bytes("two")));
    b.reset();
    CHECK(receive(a.get()).text == "one");
    CHECK(receive(a.get()).text == "two");
    std::array<std::byte, 64> buffer;
    auto end = ReceiveEnd::nothing_waits;
    CHECK_FALSE(os::receive_message(a.get(), buffer, end));
    CHECK(end == ReceiveEnd::closed);
}

TEST_CASE("a listener is ours alone, takes the place of a dead one, and knows its callers", "[os][socket]") {
    TempDir dir;
    const auto path = dir / "s.sock";
    CHECK_FALSE(os::find_seqpacket(path));
    { const auto dead = os::listen_seqpacket(path); }
    CHECK_FALSE(os::find_seqpacket(path));  // the file is there, nobody listens
    const auto listener = os::listen_seqpacket(path);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    auto end = os::AcceptEnd::no_room;
    CHECK_FALSE(os::accept_own_uid(listener.get(), end));
    CHECK(end == os::AcceptEnd::nothing_waits);
    const auto caller = os::find_seqpacket(path);
    REQUIRE(caller);
    const auto accepted = os::accept_own_uid(listener.get(), end);
    REQUIRE(accepted);
    REQUIRE(os::send_message(caller->get(), bytes("hello")));
    CHECK(receive(accepted->get()).text == "hello");
}

TEST_CASE("a listener with its queue full listens still, and a caller that finds no descriptor waits", "[os][socket]") {
    TempDir dir;
    const auto path = dir / "s.sock";
    CHECK_FALSE(os::is_listening(path));
    const auto listener = os::listen_seqpacket(path, 0);
    std::vector<os::UniqueFd> callers;
    while (auto caller = os::find_seqpacket(path)) callers.push_back(std::move(*caller));
    REQUIRE_FALSE(callers.empty());
    CHECK(os::is_listening(path));
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{3, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    auto end = os::AcceptEnd::nothing_waits;
    const auto refused = os::accept_own_uid(listener.get(), end);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    CHECK_FALSE(refused);
    CHECK(end == os::AcceptEnd::no_room);
    CHECK(os::accept_own_uid(listener.get(), end));
}

TEST_CASE("a socket path that is too long is refused by name", "[os][socket]") {
    const std::string path = "/tmp/" + std::string(os::kMaxSocketPath, 'x');
    CHECK_THROWS_WITH(os::listen_seqpacket(path), Catch::Contains("socket path /tmp/xxx") && Catch::Contains("too long"));
    CHECK_THROWS_AS(os::find_seqpacket(path), std::system_error);
}
