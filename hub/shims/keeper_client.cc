#include "hub/shims/keeper_client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "protocol/os/daemon.h"
#include "protocol/os/unix_socket.h"

namespace pp::hub {
namespace {

using wire::KeeperMessage;
using wire::KeeperVerb;

std::span<const std::byte> bytes_of(const KeeperMessage& message) {
    return {reinterpret_cast<const std::byte*>(&message), sizeof message};
}

constexpr std::size_t kMaxAsked = 8192;
// nobody tells when a listener's queue has room again
constexpr int kMaxTries = 10;
constexpr std::chrono::milliseconds kTryAgainAfter{200};

}  // namespace

KeeperClient::KeeperClient(EventLoop& loop, Worker& worker, const rundir::Home& home, const Log& log,
                           Callbacks callbacks, std::chrono::milliseconds answer_limit)
    : loop_{loop},
      worker_{worker},
      home_{home},
      log_{log},
      callbacks_{std::move(callbacks)},
      answer_limit_{answer_limit},
      try_again_{loop, [this] { ensure(); }} {}

void KeeperClient::connect_if_there() {
    if (!socket_) try_connect();
}

void KeeperClient::ensure() {
    if (socket_ || starting_ || try_connect()) return;
    start_keeper();
}

bool KeeperClient::try_connect() {
    try {
        auto socket = os::find_seqpacket(home_.keeper_socket());
        if (!socket) return false;
        socket_ = std::move(*socket);
    } catch (const std::exception& error) {
        log_.say(std::string{"no connection to the keeper: "} + error.what());
        return false;
    }
    failed_tries_ = 0;
    readable_ = std::make_unique<EventLoop::Watch>(loop_, socket_.get(), EventLoop::Watch::For::reading,
                                                   [this] { on_readable(); });
    KeeperMessage status;
    status.verb = KeeperVerb::status;
    send(status);
    send_waiting();
    return true;
}

/// Waits for the keeper to say that it is ready, so not on the loop's thread.
void KeeperClient::start_keeper() {
    starting_ = true;
    worker_.post([this, environment = home_.environment()]() -> Worker::Then {
        std::string problem;
        try {
            const auto said = os::start_detached(os::sibling_program("pp-keeper"), {}, environment);
            if (said.starts_with("error")) problem = said.substr(0, said.find('\n'));
        } catch (const std::exception& error) {
            problem = error.what();
        }
        return [this, problem] { on_started(problem); };
    });
}

void KeeperClient::on_started(const std::string& problem) {
    starting_ = false;
    if (try_connect()) return;
    if (problem.empty() && ++failed_tries_ < kMaxTries) return try_again_.set(kTryAgainAfter);
    failed_tries_ = 0;
    const std::string why =
        problem.empty() ? "it cannot be connected to; see " + home_.log("keeper") : problem;
    log_.say("the keeper could not be started: " + why);
    fail_all("the keeper could not be started: " + why);
}

void KeeperClient::spawn(std::uint64_t process, bool takeover,
                         std::function<void(int error, const std::string& problem)> then) {
    if (asked_.size() >= kMaxAsked && !asked_.contains(process))
        return then(EBUSY, "the keeper has " + std::to_string(kMaxAsked) + " shims to start already");
    Asked& asked = asked_[process];
    if (asked.then) {  // asked already: whoever asks now hears the same
        asked.then = [first = std::move(asked.then), then = std::move(then)](int error,
                                                                             const std::string& problem) {
            first(error, problem);
            then(error, problem);
        };
        return;
    }
    asked.then = std::move(then);
    asked.message.verb = KeeperVerb::spawn;
    asked.message.process = process;
    asked.message.flag = takeover ? 1 : 0;
    asked.limit = std::make_unique<EventLoop::Timer>(loop_, [this, process] {
        fail(process, ETIMEDOUT, "the keeper has not answered in " + std::to_string(answer_limit_.count()) + " ms");
    });
    asked.limit->set(answer_limit_);
    ensure();
    send_waiting();
}

void KeeperClient::send_waiting() {
    if (!socket_) return;
    for (auto& [process, asked] : asked_) {
        if (asked.sent) continue;
        if (!send(asked.message)) {  // its queue is full: go on when there is room
            if (!writable_)
                writable_ = std::make_unique<EventLoop::Watch>(loop_, socket_.get(),
                                                               EventLoop::Watch::For::writing, [this] {
                                                                   writable_.reset();
                                                                   send_waiting();
                                                               });
            return;
        }
        asked.sent = true;
    }
}

bool KeeperClient::send(const KeeperMessage& message) {
    return os::send_message(socket_.get(), bytes_of(message));
}

void KeeperClient::on_readable() {
    std::array<std::byte, 512> buffer;
    while (socket_) {
        os::ReceiveEnd end{};
        const auto received = os::receive_message(socket_.get(), buffer, end);
        if (!received) {
            if (end == os::ReceiveEnd::closed) on_closed();
            return;
        }
        KeeperMessage message;
        if (received->size < sizeof message) {
            log_.say("the keeper sent a message that is too short; it was dropped");
            continue;
        }
        std::memcpy(&message, buffer.data(), sizeof message);
        if (message.magic == wire::kKeeperMagic) on_message(message);
    }
}

void KeeperClient::on_message(const KeeperMessage& message) {
    switch (message.verb) {
        case KeeperVerb::spawned:
        case KeeperVerb::refused: {
            auto asked = asked_.extract(message.process);
            if (!asked.empty())
                asked.mapped().then(message.verb == KeeperVerb::spawned ? 0 : message.value, "");
            return;
        }
        case KeeperVerb::status_is:
            pid_ = message.pid;
            return;
        case KeeperVerb::shim_gone:
            callbacks_.on_shim_gone(message.process, message.flag == 1   ? Gone::in_order
                                                     : message.flag == 2 ? Gone::succeeded
                                                                         : Gone::given_up);
            return;
        case KeeperVerb::spawn:
        case KeeperVerb::status:
        case KeeperVerb::attach:
        case KeeperVerb::deposit:
        case KeeperVerb::withdraw:
        case KeeperVerb::goodbye:
        case KeeperVerb::held:
        case KeeperVerb::ready:
        case KeeperVerb::orphan_exited:
            break;  // not said to a hub
    }
    log_.say("the keeper sent an unexpected message (verb " + std::to_string(static_cast<int>(message.verb)) +
             ")");
}

/// What it had been asked and did not answer is asked of the next one: a shim that it did start holds its
/// process's lock, so the second one ends by itself.
void KeeperClient::on_closed() {
    readable_.reset();
    writable_.reset();
    socket_.reset();
    pid_ = 0;
    for (auto& [process, asked] : asked_) asked.sent = false;
    callbacks_.on_lost();
    if (!asked_.empty()) ensure();
}

void KeeperClient::fail(std::uint64_t process, int error, const std::string& problem) {
    const auto asked = asked_.extract(process);
    log_.say(rundir::process_id(process) + ": " + problem);
    asked.mapped().then(error, problem);
}

void KeeperClient::fail_all(const std::string& problem) {
    for (auto& [process, asked] : std::exchange(asked_, {})) asked.then(EIO, problem);
}

}  // namespace pp::hub
