#include "bench/support/echo_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <stdexcept>

#include "protocol/os/error.h"

namespace pp::bench {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void send_at_once(int connection) {
    const int yes = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void watch(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) os::throw_errno("epoll_ctl");
}

}  // namespace

os::UniqueFd connect_to(std::uint16_t port) {
    os::UniqueFd connection{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = loopback(port);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        os::throw_errno("connect", "127.0.0.1:" + std::to_string(port));
    send_at_once(connection.get());
    return connection;
}

EchoServer::EchoServer(std::size_t request, std::size_t reply)
    : request_{request},
      reply_(reply, 'x'),
      listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)},
      stop_{::eventfd(0, EFD_CLOEXEC)} {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), plain, size) != 0 || ::listen(listener_.get(), 8) != 0 ||
        ::getsockname(listener_.get(), plain, &size) != 0)
        os::throw_errno("listen", "127.0.0.1");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
}

EchoServer::~EchoServer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

void EchoServer::serve() const {
    const os::UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    watch(epoll.get(), listener_.get());
    watch(epoll.get(), stop_.get());
    struct Peer {
        os::UniqueFd fd;
        std::string received;
    };
    std::map<int, Peer> peers;
    while (true) {
        epoll_event event{};
        if (::epoll_wait(epoll.get(), &event, 1, -1) != 1) continue;
        if (event.data.fd == stop_.get()) return;
        if (event.data.fd == listener_.get()) {
            os::UniqueFd peer{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!peer) continue;
            send_at_once(peer.get());
            watch(epoll.get(), peer.get());
            const int number = peer.get();
            peers[number].fd = std::move(peer);
            continue;
        }
        std::array<char, 65536> buffer;
        const ssize_t got = ::read(event.data.fd, buffer.data(), buffer.size());
        if (got <= 0) {
            peers.erase(event.data.fd);
            continue;
        }
        auto& received = peers[event.data.fd].received;
        received.append(buffer.data(), static_cast<std::size_t>(got));
        answer(event.data.fd, received);
    }
}

void EchoServer::answer(int connection, std::string& received) const {
    for (; received.size() >= request_; received.erase(0, request_)) {
        for (std::size_t sent = 0; sent < reply_.size();) {
            const ssize_t taken =
                ::send(connection, reply_.data() + sent, reply_.size() - sent, MSG_NOSIGNAL);
            if (taken <= 0) return;
            sent += static_cast<std::size_t>(taken);
        }
    }
}

void exchange(int connection, const std::string& request, std::size_t reply) {
    for (std::size_t sent = 0; sent < request.size();) {
        const ssize_t taken = ::send(connection, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
        if (taken <= 0) os::throw_errno("send");
        sent += static_cast<std::size_t>(taken);
    }
    std::array<char, 65536> buffer;
    for (std::size_t received = 0; received < reply;) {
        const ssize_t got = ::recv(connection, buffer.data(), buffer.size(), 0);
        if (got <= 0) throw std::runtime_error("the server has hung up");
        received += static_cast<std::size_t>(got);
    }
}

}  // namespace pp::bench
