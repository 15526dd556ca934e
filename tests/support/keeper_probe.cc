#include "tests/support/keeper_probe.h"

#include <poll.h>
#include <sched.h>

#include <optional>
#include <span>

#include "protocol/os/unix_socket.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::test {
namespace {

/// Nothing if there is no keeper, or it goes.
std::optional<wire::KeeperMessage> find_status(const rundir::Home& home) {
    const auto keeper = os::find_seqpacket(home.keeper_socket());
    if (!keeper) return std::nullopt;
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::status;
    os::send_message(keeper->get(), std::as_bytes(std::span{&message, 1}));
    while (true) {
        os::ReceiveEnd end{};
        const auto got = os::receive_message(keeper->get(), std::as_writable_bytes(std::span{&message, 1}), end);
        if (got && message.verb == wire::KeeperVerb::status_is) return message;
        if (!got && end == os::ReceiveEnd::closed) return std::nullopt;
        pollfd polled{keeper->get(), POLLIN, 0};
        if (!got) ::poll(&polled, 1, -1);
    }
}

}  // namespace

void wait_until_kept(const rundir::Home& home, std::int32_t shims, std::uint32_t descriptors) {
    while (true) {
        const auto status = find_status(home);
        if (status && status->value == shims && status->run == descriptors) return;
        ::sched_yield();
    }
}

}  // namespace pp::test
