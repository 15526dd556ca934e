#include "hub/shims/keeper_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "hub/shims/shim_process.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
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
                           Callbacks callbacks, Limits limits)
    : loop_{loop},
      worker_{worker},
      home_{home},
      log_{log},
      callbacks_{std::move(callbacks)},
      limits_{limits},
      patience_{loop, limits.patience, {[this] { ask_status(); }, [this] { on_hung(); }}},
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
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) peer_pid_ = peer.pid;
    was_made_to_go_on_ = false;
    ask_status();
    patience_.begin();
    send_waiting();
    return true;
}

/// Whatever it says is a sign of life; this it can always answer. No room in its queue: it has not read what is there.
void KeeperClient::ask_status() {
    if (!socket_) return;
    KeeperMessage status;
    status.verb = KeeperVerb::status;
    send(status);
}

void KeeperClient::on_hung() {
    const auto keeper = find_keeper(home_, peer_pid_);
    const auto stat = keeper ? os::find_proc_stat(peer_pid_) : std::nullopt;
    const std::string name = "the keeper (pid " + std::to_string(peer_pid_) + ")";
    if (!stat) return log_.say(name + " does not answer, and is not known to be a keeper: it is left alone");
    if (stat->state == 'T' && !std::exchange(was_made_to_go_on_, true)) {
        log_.say(name + " was asked and did not answer: somebody has stopped it, and it is made to go on");
        keeper->send_signal(SIGCONT);
        return patience_.begin();
    }
    log_.say(name + " was asked and did not answer: it hangs, and is killed; another one is started");
    keeper->send_signal(SIGKILL);
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
        fail(process, ETIMEDOUT, "the keeper has not answered in " + std::to_string(limits_.answer.count()) + " ms");
    });
    asked.limit->set(limits_.answer);
    ensure();
    send_waiting();
}

void KeeperClient::send_waiting() {
    if (!socket_ || asked_.empty()) return;
    patience_.begin();
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

void KeeperClient::forget(std::uint64_t process) {
    if (!socket_ || protocol_ < 2) return;
    KeeperMessage message;
    message.verb = KeeperVerb::forget;
    message.process = process;
    send(message);
}

void KeeperClient::upgrade(const std::string& program, std::function<void(const std::string& problem)> then) {
    const os::UniqueFd file{::open(program.c_str(), O_PATH | O_CLOEXEC)};
    if (!file) return then(program + ": " + os::error_text(errno));
    if (!socket_) return then("no keeper is connected");
    if (upgraded_) return then("it is being upgraded already");
    KeeperMessage message;
    message.verb = KeeperVerb::upgrade;
    const std::array<int, 1> fds = {file.get()};
    if (!os::send_message(socket_.get(), bytes_of(message), fds)) return then("the keeper: " + os::error_text(errno));
    upgraded_ = std::move(then);
    patience_.begin();
}

void KeeperClient::replace(std::function<void(const std::string& problem)> then) {
    const auto keeper = find_keeper(home_, peer_pid_);
    if (!keeper) return then("it is not known to be a keeper");
    if (upgraded_) return then("it is being upgraded already");
    upgraded_ = std::move(then);
    replaced_pid_ = peer_pid_;
    keeper->send_signal(SIGKILL);
}

void KeeperClient::end_upgrade(const std::string& problem) {
    replaced_pid_ = 0;
    if (const auto then = std::exchange(upgraded_, nullptr)) then(problem);
}

bool KeeperClient::send(const KeeperMessage& message) {
    return os::send_message(socket_.get(), bytes_of(message));
}

void KeeperClient::on_readable() {
    std::array<std::byte, wire::kMaxKeeperMessage> buffer;
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
        if (message.magic != wire::kKeeperMagic) continue;
        patience_.end();
        was_made_to_go_on_ = false;
        on_message(message, wire::text_behind(std::span{buffer}.first(received->size)));
        if (!asked_.empty() || upgraded_) patience_.begin();  // the others are still owed
    }
}

void KeeperClient::on_message(const KeeperMessage& message, const std::string& text) {
    switch (message.verb) {
        case KeeperVerb::spawned: {
            auto asked = asked_.extract(message.process);
            if (!asked.empty()) asked.mapped().then(0, "");
            return;
        }
        case KeeperVerb::refused:
            return on_refused(message);
        case KeeperVerb::status_is:
            return on_status(message, text);
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
        case KeeperVerb::upgrade:
        case KeeperVerb::forget:
        case KeeperVerb::failed:
            break;  // not said to a hub
    }
    log_.say("the keeper sent an unexpected message (verb " + std::to_string(static_cast<int>(message.verb)) +
             ")");
}

void KeeperClient::on_status(const KeeperMessage& status, const std::string& version) {
    pid_ = status.pid;
    protocol_ = status.version;
    version_ = version;
    if (status.flag == 1 || (replaced_pid_ > 0 && status.pid != replaced_pid_)) end_upgrade("");
}

void KeeperClient::on_refused(const KeeperMessage& refusal) {
    if (refusal.process == 0) return end_upgrade(os::error_text(refusal.value));
    auto asked = asked_.extract(refusal.process);
    if (!asked.empty()) asked.mapped().then(refusal.value, "");
}

/// What it had been asked and did not answer is asked of the next one: a shim that it did start holds its
/// process's lock, so the second one ends by itself.
void KeeperClient::on_closed() {
    readable_.reset();
    writable_.reset();
    socket_.reset();
    pid_ = 0;
    protocol_ = 0;
    version_.clear();
    patience_.end();
    for (auto& [process, asked] : asked_) asked.sent = false;
    if (replaced_pid_ == 0) end_upgrade("the keeper has died of it; another one is started");
    callbacks_.on_lost();
    if (!asked_.empty() || replaced_pid_ > 0) ensure();
}

void KeeperClient::fail(std::uint64_t process, int error, const std::string& problem) {
    const auto asked = asked_.extract(process);
    log_.say(rundir::process_id(process) + ": " + problem);
    asked.mapped().then(error, problem);
}

void KeeperClient::fail_all(const std::string& problem) {
    end_upgrade(problem);
    for (auto& [process, asked] : std::exchange(asked_, {})) asked.then(EIO, problem);
}

}  // namespace pp::hub
