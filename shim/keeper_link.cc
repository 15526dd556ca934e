#include "shim/keeper_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/unix_socket.h"

namespace pp::shim {
namespace {

using wire::KeeperMessage;
using wire::KeeperVerb;

constexpr int kClaimLimitMs = 5000;  // a keeper that is stopped: what it holds is found in /proc instead
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{5000};

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

bool is_deposit_of(const KeeperMessage& a, const KeeperMessage& b) {
    return a.verb == KeeperVerb::deposit && a.kind == b.kind && a.run == b.run && a.stream == b.stream;
}

}  // namespace

KeeperLink::KeeperLink(os::Loop& loop, const rundir::Home& home, std::uint64_t process, int page_fd, os::UniqueFd birth,
                       Callbacks callbacks)
    : loop_{loop},
      home_{home},
      process_{process},
      page_fd_{page_fd},
      callbacks_{std::move(callbacks)},
      retry_pause_{kFirstPause},
      retry_timer_{loop, [this] { retry(); }} {
    if (birth)
        use(std::move(birth));
    else
        connect();
    if (!socket_ || !attach()) start_keeper();
}

KeeperLink::~KeeperLink() = default;

// Having a keeper ------------------------------------------------------------------------------------------------------

void KeeperLink::ensure() {
    if (socket_ || starting_) return;
    retry_timer_.clear();
    if (!connect()) return start_keeper();
    if (!attach()) return retry_later();
    callbacks_.on_new_keeper();
}

/// What is held comes back with the answer, and is closed again.
void KeeperLink::use_page(int page_fd) {
    page_fd_ = page_fd;
    if (socket_ && !attach()) retry_later();
}

/// To the keeper that lives.
bool KeeperLink::connect() {
    try {
        auto found = os::find_seqpacket(home_.keeper_socket());
        if (found) use(std::move(*found));
        return static_cast<bool>(socket_);
    } catch (const std::exception& error) {
        callbacks_.on_trouble(std::string{"no connection to the keeper: "} + error.what());
        return false;
    }
}

/// Several shims do this at once: all but one of those keepers end when the one listens.
void KeeperLink::start_keeper() {
    drop();
    try {
        starting_ = os::begin_detached(os::sibling_program("pp-keeper"), {}, home_.environment());
    } catch (const std::exception& error) {
        callbacks_.on_trouble(std::string{"no keeper could be started: "} + error.what());
        return retry_later();
    }
    starting_watch_ = std::make_unique<os::Loop::Watch>(loop_, starting_.get(), 0, [this](short) { on_started(); });
}

void KeeperLink::on_started() {
    starting_watch_.reset();
    const auto ready = std::move(starting_);
    try {
        const auto said = os::read_report(ready, "pp-keeper");
        if (said.starts_with("error")) callbacks_.on_trouble(said.substr(0, said.find('\n')));
    } catch (const std::exception& error) {
        callbacks_.on_trouble(error.what());
    }
    if (!connect() || !attach()) return retry_later();
    callbacks_.on_new_keeper();
}

void KeeperLink::use(os::UniqueFd socket) {
    socket_ = std::move(socket);
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) keeper_pid_ = peer.pid;
    watch_ = std::make_unique<os::Loop::Watch>(loop_, socket_.get(), POLLIN, [this](short events) {
        if ((events & POLLOUT) != 0) flush();
        if ((events & ~POLLOUT) != 0) on_readable();
    });
}

void KeeperLink::drop() {
    watch_.reset();
    socket_.reset();
    waiting_.clear();
    keeper_pid_ = 0;
    is_ready_ = false;
    is_missing_something_ = false;
    said_missing_ = false;
    is_blocked_ = false;
}

/// Drops the connection if the keeper cannot be told who we are.
bool KeeperLink::attach() {
    try {
        const auto self = os::PidFd::find(::getpid());
        KeeperMessage message;
        message.verb = KeeperVerb::attach;
        message.process = process_;
        message.pid = ::getpid();
        const std::array<int, 2> fds = {self->get(), page_fd_};
        if (os::send_message(socket_.get(), bytes_of(message), fds)) return true;
        callbacks_.on_trouble("the keeper could not be told: " + os::error_text(errno));
    } catch (const std::exception& error) {
        callbacks_.on_trouble(std::string{"the keeper could not be told: "} + error.what());
    }
    drop();
    return false;
}

/// The keeper is dead: another one is brought into being, and gets everything again. Or it had no room for us.
void KeeperLink::on_lost() {
    const bool was_ready = is_ready_;
    drop();
    if (was_ready)
        ensure();
    else
        retry_later();
}

void KeeperLink::retry_later() {
    if (retry_timer_.armed()) return;
    retry_timer_.set(retry_pause_);
    retry_pause_ = std::min(retry_pause_ * 2, kLongestPause);
}

void KeeperLink::retry() {
    if (!socket_) return ensure();
    if (std::exchange(is_blocked_, false) && !waiting_.empty()) watch_->set_events(POLLIN | POLLOUT);
    if (std::exchange(is_missing_something_, false)) callbacks_.on_new_keeper();
}

// What is said ---------------------------------------------------------------------------------------------------------

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
        if (message && message->verb == KeeperVerb::ready) on_message(*message);
        if (!message || message->verb == KeeperVerb::ready) break;
        if (message->verb == KeeperVerb::held && received->fds.size() == 1)
            claimed.push_back({*message, std::move(received->fds[0])});
    }
    return claimed;
}

void KeeperLink::deposit(wire::HeldKind kind, std::uint32_t run, ring::Stream stream, int fd, pid_t pid,
                         std::uint64_t start_time) {
    if (fd < 0) return callbacks_.on_trouble("there is no descriptor to deposit");
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

void KeeperLink::send(const KeeperMessage& message, int fd) {
    if (!socket_) return;  // whoever comes gets everything
    if (waiting_.empty() && transmit(message, fd)) return;
    if (message.verb == KeeperVerb::withdraw)  // it waits no longer to be deposited
        std::erase_if(waiting_, [&](const Waiting& waiting) { return is_deposit_of(waiting.message, message); });
    os::UniqueFd copy{fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (fd >= 0 && !copy) return miss(os::error_text(errno));
    waiting_.push_back({message, std::move(copy)});
    if (!is_blocked_) watch_->set_events(POLLIN | POLLOUT);
}

/// False if it has to wait: for room in the socket, or, where the system has too many descriptors under way, for a while.
bool KeeperLink::transmit(const KeeperMessage& message, int fd) {
    const std::array<int, 1> fds = {fd};
    if (os::send_message(socket_.get(), bytes_of(message), std::span<const int>{fds}.first(fd < 0 ? 0 : 1))) return true;
    is_blocked_ = errno == ETOOMANYREFS;
    if (is_blocked_) retry_later();
    return false;
}

void KeeperLink::flush() {
    while (!waiting_.empty() && transmit(waiting_.front().message, waiting_.front().fd.get())) waiting_.pop_front();
    if (waiting_.empty() || is_blocked_) watch_->set_events(POLLIN);
}

/// The keeper does not have all that it should: everything is deposited again, in a while.
void KeeperLink::miss(const std::string& why) {
    if (!std::exchange(said_missing_, true)) callbacks_.on_trouble("deposits do not come through, and are tried again: " + why);
    is_missing_something_ = true;
    retry_later();
}

void KeeperLink::on_readable() {
    std::array<std::byte, 512> buffer;
    while (socket_) {
        os::ReceiveEnd end{};
        auto received = os::receive_message(socket_.get(), buffer, end);
        if (!received && end == os::ReceiveEnd::closed) return on_lost();
        if (!received) return;
        if (const auto message = message_of(std::span{buffer}.first(received->size))) on_message(*message);
    }
}

void KeeperLink::on_message(const KeeperMessage& message) {
    if (message.verb == KeeperVerb::orphan_exited) callbacks_.on_orphan_exited();
    if (message.verb == KeeperVerb::refused) miss("the keeper: " + os::error_text(message.value));
    if (message.verb != KeeperVerb::ready) return;
    is_ready_ = true;
    retry_pause_ = kFirstPause;
}

}  // namespace pp::shim
