#include "hub/mcp/peer_identity.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "protocol/os/unique_fd.h"

namespace pp::hub::mcp {
namespace {

constexpr std::uint8_t kEstablished = 1;  // TCP_ESTABLISHED of the kernel

bool is_established(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == kEstablished;
}

struct Question {
    nlmsghdr header;
    inet_diag_req_v2 request;
};

std::optional<inet_diag_msg> ask(const Question& question) {
    const os::UniqueFd netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (!netlink) return std::nullopt;
    const timeval limit{0, 100'000};  // the kernel answers within the send; this is for a kernel that does not
    ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::send(netlink.get(), &question, sizeof question, 0) != static_cast<ssize_t>(sizeof question)) return std::nullopt;
    alignas(nlmsghdr) std::array<char, 4096> buffer;
    const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
    if (got < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(inet_diag_msg))) return std::nullopt;
    nlmsghdr header{};
    std::memcpy(&header, buffer.data(), sizeof header);
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
    inet_diag_msg answer{};
    std::memcpy(&answer, buffer.data() + NLMSG_HDRLEN, sizeof answer);
    return answer;
}

}  // namespace

bool tcp_peer_is_own_uid(int socket) {
    sockaddr_in ours{};
    sockaddr_in theirs{};
    socklen_t size = sizeof ours;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&ours), &size) != 0 || ours.sin_family != AF_INET) return false;
    size = sizeof theirs;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) return false;

    Question question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = AF_INET;
    question.request.sdiag_protocol = IPPROTO_TCP;
    question.request.idiag_states = 1U << kEstablished;
    question.request.id.idiag_sport = theirs.sin_port;  // their socket: source is theirs
    question.request.id.idiag_dport = ours.sin_port;
    question.request.id.idiag_src[0] = theirs.sin_addr.s_addr;
    question.request.id.idiag_dst[0] = ours.sin_addr.s_addr;
    question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    const auto answer = ask(question);
    return answer && answer->idiag_state == kEstablished && answer->idiag_inode != 0 &&
           answer->idiag_uid == ::geteuid() && is_established(socket);
}

bool unix_peer_is_own_uid(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace pp::hub::mcp
