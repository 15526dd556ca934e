#include "tests/torture/keeper_ear.h"

#include <poll.h>
#include <sys/socket.h>

#include <span>

#include "protocol/os/unix_socket.h"

namespace pp::torture {

bool KeeperEar::connect() {
    if (socket_) return true;
    pid_ = 0;
    auto found = os::find_seqpacket(home_.keeper_socket());
    if (!found) return false;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(found->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    socket_ = std::move(*found);
    pid_ = peer.pid;
    wire::KeeperMessage status;  // once it has answered, it tells us of deaths
    status.verb = wire::KeeperVerb::status;
    os::send_message(socket_.get(), std::as_bytes(std::span{&status, 1}));
    while (const auto message = receive(true)) {
        if (message->verb == wire::KeeperVerb::status_is) return true;
    }
    return false;
}

pid_t KeeperEar::keeper() {
    const Watchdog::Wait wait{dog_, "an answer of the keeper"};
    forget();
    return connect() ? pid_ : 0;
}

void KeeperEar::wait_for_other_than(pid_t old, const std::function<bool()>& is_needless) {
    const Watchdog::Wait wait{dog_, "a keeper that follows the killed one"};
    while (true) {
        const pid_t found = keeper();
        if ((found > 0 && found != old) || is_needless()) return;
        socket_.reset();
        names_.wait();
    }
}

/// Nothing if there is nothing now, or the keeper has gone.
std::optional<wire::KeeperMessage> KeeperEar::receive(bool wait) {
    while (socket_) {
        wire::KeeperMessage message;
        os::ReceiveEnd end{};
        if (os::receive_message(socket_.get(), std::as_writable_bytes(std::span{&message, 1}), end)) return message;
        if (end == os::ReceiveEnd::closed) socket_.reset();
        if (!socket_ || !wait) break;
        pollfd polled{socket_.get(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
    return std::nullopt;
}

void KeeperEar::forget() {
    while (receive(false)) {
    }
}

pid_t KeeperEar::wait_for_successor(std::uint64_t process) {
    const Watchdog::Wait wait{dog_, "the keeper's word of " + rundir::process_id(process) + "'s shim"};
    while (const auto message = receive(true)) {
        if (message->verb == wire::KeeperVerb::shim_gone && message->process == process)
            return message->flag == 2 ? message->pid : 0;
    }
    return 0;
}

}  // namespace pp::torture
