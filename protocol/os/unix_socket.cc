#include "protocol/os/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "protocol/os/error.h"

namespace pp::os {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    if (path.size() > kMaxSocketPath) throw_error(ENAMETOOLONG, "socket path", path);
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

UniqueFd new_socket() {
    UniqueFd fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd) throw_errno("socket");
    return fd;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

}  // namespace

UniqueFd listen_seqpacket(const std::string& path, int backlog) {
    const sockaddr_un address = address_of(path);
    UniqueFd fd = new_socket();
    ::unlink(path.c_str());
    if (::bind(fd.get(), generic(address), sizeof address) != 0) throw_errno("bind", path);
    if (::listen(fd.get(), backlog) != 0) throw_errno("listen", path);
    if (::chmod(path.c_str(), 0600) != 0) throw_errno("chmod", path);  // last: who watches the directory then finds it listening
    return fd;
}

std::optional<UniqueFd> find_seqpacket(const std::string& path) {
    const sockaddr_un address = address_of(path);
    UniqueFd fd = new_socket();
    if (::connect(fd.get(), generic(address), sizeof address) == 0) return fd;
    if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN) return std::nullopt;
    throw_errno("connect", path);
}

bool is_listening(const std::string& path) {
    const sockaddr_un address = address_of(path);
    const UniqueFd fd = new_socket();
    return ::connect(fd.get(), generic(address), sizeof address) == 0 || errno == EAGAIN;
}

std::optional<UniqueFd> accept_own_uid(int listener, AcceptEnd& end) {
    while (true) {
        UniqueFd fd{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (!fd) {
            end = errno == EAGAIN ? AcceptEnd::nothing_waits : AcceptEnd::no_room;
            return std::nullopt;
        }
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid()) return fd;
    }
}

std::array<UniqueFd, 2> seqpacket_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        throw_errno("socketpair");
    return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

bool send_message(int socket, std::span<const std::byte> message, std::span<const int> fds) {
    iovec part{const_cast<std::byte*>(message.data()), message.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        const std::size_t bytes = fds.size_bytes();
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(bytes);
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(bytes);
        std::memcpy(CMSG_DATA(rights), fds.data(), bytes);
    }
    while (true) {
        if (::sendmsg(socket, &header, MSG_NOSIGNAL) >= 0) return true;
        if (errno != EINTR) return false;
    }
}

std::optional<Received> receive_message(int socket, std::span<std::byte> buffer, ReceiveEnd& end) {
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t got = -1;
    bool was_reset = false;
    do {
        was_reset = was_reset || (got < 0 && errno == ECONNRESET);
        got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
        // said once by a peer that closed with something unread; what it sent before is still there
    } while (got < 0 && (errno == EINTR || (errno == ECONNRESET && !was_reset)));
    if (got <= 0) {
        end = got < 0 && errno == EAGAIN ? ReceiveEnd::nothing_waits : ReceiveEnd::closed;
        return std::nullopt;
    }
    Received received;
    received.size = static_cast<std::size_t>(got);
    received.truncated = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (cmsghdr* part_header = CMSG_FIRSTHDR(&header); part_header != nullptr;
         part_header = CMSG_NXTHDR(&header, part_header)) {
        if (part_header->cmsg_level != SOL_SOCKET || part_header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part_header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part_header) + i * sizeof(int), sizeof fd);
            received.fds.emplace_back(fd);
        }
    }
    return received;
}

}  // namespace pp::os
