#include "tests/support/keeper_probe.h"

#include <poll.h>

#include <optional>
#include <span>

#include "protocol/os/unix_socket.h"
#include "protocol/wire/keeper_messages.h"
#include "tests/support/directory_watch.h"

namespace pp::test {
namespace {

/// Sleeps until the keeper has answered; nothing if it goes.
std::optional<wire::KeeperMessage> find_status(const os::UniqueFd& keeper) {
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::status;
    os::send_message(keeper.get(), std::as_bytes(std::span{&message, 1}));
    while (true) {
        os::ReceiveEnd end{};
        const auto got = os::receive_message(keeper.get(), std::as_writable_bytes(std::span{&message, 1}), end);
        if (got && message.verb == wire::KeeperVerb::status_is) return message;
        if (!got && end == os::ReceiveEnd::closed) return std::nullopt;
        pollfd polled{keeper.get(), POLLIN, 0};
        if (!got) ::poll(&polled, 1, -1);
    }
}

}  // namespace

void wait_until_kept(const rundir::Home& home, std::int32_t shims, std::uint32_t descriptors) {
    DirectoryWatch log{home.state() + "/log"};  // a keeper says there that it listens
    while (true) {
        const auto keeper = os::find_seqpacket(home.keeper_socket());
        if (!keeper) {
            log.wait();
            continue;
        }
        while (const auto status = find_status(*keeper)) {
            if (status->value == shims && status->run == descriptors) return;
        }
    }
}

}  // namespace pp::test
