#pragma once

namespace pp::hub::mcp {

/// Whether the client at the other end of a loopback TCP connection is of our uid: the kernel is asked
/// (NETLINK_SOCK_DIAG, about 1 µs) for the socket with the connection's addresses swapped. Only an ESTABLISHED one with an
/// inode counts, and only while ours still is when the answer is there: a closed client reads as uid 0, and its addresses may
/// have been taken by another. Any doubt is a no.
bool tcp_peer_is_own_uid(int socket);

/// The same for a unix socket (SO_PEERCRED).
bool unix_peer_is_own_uid(int socket);

}  // namespace pp::hub::mcp
