#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::os {

/// SOCK_SEQPACKET sockets of the file system that carry small fixed messages and descriptors.

/// sockaddr_un.sun_path holds 107 bytes and a NUL (unix(7)).
inline constexpr std::size_t kMaxSocketPath = 107;

/// Binds and listens, mode 0600, replacing a socket file that a dead predecessor left. The caller holds the lock
/// that says there is no live one. Non-blocking.
UniqueFd listen_seqpacket(const std::string& path, int backlog = 512);

/// Nothing if nobody listens (ENOENT, ECONNREFUSED). The connection is non-blocking.
std::optional<UniqueFd> find_seqpacket(const std::string& path);

/// Whether somebody listens, be the queue for it full (EAGAIN). Who listens sees a connection that says nothing and goes.
bool is_listening(const std::string& path);

enum class AcceptEnd {
    nothing_waits,
    no_room  ///< EMFILE, ENFILE, ENOMEM: somebody waits still, and the listener stays readable
};

/// Next waiting connection whose peer has our uid (SO_PEERCRED); others are closed at once. `end` says why there was none.
std::optional<UniqueFd> accept_own_uid(int listener, AcceptEnd& end);

/// Two connected ends, non-blocking.
std::array<UniqueFd, 2> seqpacket_pair();

inline constexpr std::size_t kMaxFdsPerMessage = 16;

/// Sends one message with descriptors; the receiver gets duplicates. False, with errno, if it was not sent: EAGAIN, the
/// peer's queue is full; ETOOMANYREFS, too many descriptors are on their way; anything else, the peer is gone.
bool send_message(int socket, std::span<const std::byte> message, std::span<const int> fds = {});

struct Received {
    std::size_t size = 0;  ///< bytes put into the buffer
    bool truncated = false;  ///< the message was larger than the buffer, or descriptors were dropped
    std::vector<UniqueFd> fds;  ///< close-on-exec
};
enum class ReceiveEnd { nothing_waits, closed };

/// One message. `end` says why there was none.
std::optional<Received> receive_message(int socket, std::span<std::byte> buffer, ReceiveEnd& end);

}  // namespace pp::os
