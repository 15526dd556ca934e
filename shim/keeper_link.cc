#include "shim/keeper_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <exception>

#include "protocol/os/daemon.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/unix_socket.h"

namespace pp::shim {
namespace {

using wire::KeeperMessage;
using wire::KeeperVerb;

constexpr int kClaimLimitMs = 5000;  // a keeper that is stopped: what it holds is found in /proc instead

std::span<const std::byte> bytes_of(const KeeperMessage& message) {
    return {reinterpret_cast<const std::byte*>(&message), sizeof message};
}

std::optional<KeeperMessage> message_of(std::span<const std::byte> bytes) {
    KeeperMessage message;
    if (bytes.size() < sizeof message) return std::nullopt;
    std::memcpy(&message, bytes.data(), sizeof message);
    if (message.magic != wire::kKeeperMagic) return std::nullopt;
    return message;
}

}  // namespace

KeeperLink::KeeperLink(os::Loop& loop, const rundir::Home& home, std::uint64_t process, int page_fd, os::UniqueFd birth,
                       Callbacks callbacks)
    : loop_{loop}, home_{home}, process_{process}, page_fd_{page_fd}, callbacks_{std::move(callbacks)} {
    socket_ = std::move(birth);
    if (!socket_) connect();
    start_watching();
    attach();
}

KeeperLink::~KeeperLink() = default;

/// To the keeper that lives, or to one that we bring into being.
void KeeperLink::connect() {
    try {
        auto found = os::find_seqpacket(home_.keeper_socket());
        if (!found) {
            os::start_detached(os::sibling_program("pp-keeper"), {}, home_.environment());
            found = os::find_seqpacket(home_.keeper_socket());
        }
        if (found) socket_ = std::move(*found);
    } catch (const std::exception&) {
        // no keeper is to be had: the child is still captured, and the next kick tries again
    }
}

void KeeperLink::start_watching() {
    if (!socket_) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) keeper_pid_ = peer.pid;
    watch_ = std::make_unique<os::Loop::Watch>(loop_, socket_.get(), POLLIN, [this](short events) {
        if ((events & POLLOUT) != 0) flush();
        if ((events & ~POLLOUT) != 0) on_readable();
    });
}

void KeeperLink::attach() {
    if (!socket_) return;
    auto self = os::PidFd::find(::getpid());
    KeeperMessage message;
    message.verb = KeeperVerb::attach;
    message.process = process_;
    message.pid = ::getpid();
    const std::array<int, 2> fds = {self->get(), page_fd_};
    os::send_message(socket_.get(), bytes_of(message), fds);
}

std::vector<KeeperLink::Held> KeeperLink::claim() {
    std::vector<Held> claimed;
    std::array<std::byte, 512> buffer;
    while (socket_) {
        os::ReceiveEnd end{};
        auto received = os::receive_message(socket_.get(), buffer, end);
        if (!received && end == os::ReceiveEnd::closed) break;
        if (!received) {
            pollfd polled{socket_.get(), POLLIN, 0};
            if (::poll(&polled, 1, kClaimLimitMs) <= 0) break;
            continue;
        }
        const auto message = message_of(std::span{buffer}.first(received->size));
        if (!message || message->verb == KeeperVerb::ready) break;
        if (message->verb == KeeperVerb::held && received->fds.size() == 1)
            claimed.push_back({*message, std::move(received->fds[0])});
    }
    return claimed;
}

void KeeperLink::deposit(wire::HeldKind kind, std::uint32_t run, ring::Stream stream, int fd, pid_t pid,
                         std::uint64_t start_time) {
    KeeperMessage message;
    message.verb = KeeperVerb::deposit;
    message.process = process_;
    message.kind = kind;
    message.run = run;
    message.stream = stream;
    message.pid = pid;
    message.start_time = start_time;
    send(message, fd);
}

void KeeperLink::withdraw(wire::HeldKind kind, std::uint32_t run, ring::Stream stream) {
    KeeperMessage message;
    message.verb = KeeperVerb::withdraw;
    message.process = process_;
    message.kind = kind;
    message.run = run;
    message.stream = stream;
    send(message, -1);
}

void KeeperLink::say_goodbye() {
    KeeperMessage message;
    message.verb = KeeperVerb::goodbye;
    message.process = process_;
    send(message, -1);
}

void KeeperLink::send(KeeperMessage message, int fd) {
    if (!socket_) return;
    const std::array<int, 1> fds = {fd};
    const auto carried = std::span<const int>{fds}.first(fd < 0 ? 0 : 1);
    if (waiting_.empty() && os::send_message(socket_.get(), bytes_of(message), carried)) return;
    Waiting& waiting = waiting_.emplace_back();
    waiting.message = message;
    if (fd >= 0) waiting.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    watch_->set_events(POLLIN | POLLOUT);
}

void KeeperLink::flush() {
    while (!waiting_.empty()) {
        const Waiting& first = waiting_.front();
        const std::array<int, 1> fds = {first.fds.empty() ? -1 : first.fds[0].get()};
        const auto carried = std::span<const int>{fds}.first(first.fds.size());
        if (!os::send_message(socket_.get(), bytes_of(first.message), carried)) return;
        waiting_.pop_front();
    }
    watch_->set_events(POLLIN);
}

void KeeperLink::on_readable() {
    std::array<std::byte, 512> buffer;
    while (true) {
        os::ReceiveEnd end{};
        auto received = os::receive_message(socket_.get(), buffer, end);
        if (!received && end == os::ReceiveEnd::closed) return on_lost();
        if (!received) return;
        const auto message = message_of(std::span{buffer}.first(received->size));
        if (message && message->verb == KeeperVerb::orphan_exited) callbacks_.on_orphan_exited();
    }
}

/// The keeper is dead. Another one is brought into being, and gets everything again.
void KeeperLink::on_lost() {
    watch_.reset();
    socket_.reset();
    waiting_.clear();
    keeper_pid_ = 0;
    connect();
    start_watching();
    attach();
    callbacks_.on_new_keeper();
}

}  // namespace pp::shim
