#include "cli/doctor/kernel.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "protocol/os/pid_fd.h"
#include "protocol/os/unique_fd.h"

namespace pp::cli::doctor {
namespace {

os::UniqueFd pidfd_of(pid_t pid) {
    return os::UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

int try_pidfd_open() {
    return error_of(pidfd_of(::getpid()).get());
}

/// A child that ends at once, for whoever wants to look at how.
class ShortChild {
  public:
    ShortChild() : pid_{::fork()} {
        if (pid_ == 0) ::_exit(7);
    }
    ~ShortChild() { reap(); }
    ShortChild(const ShortChild&) = delete;
    ShortChild& operator=(const ShortChild&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    void reap() {
        if (pid_ > 0) ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    }

  private:
    pid_t pid_;
};

int try_waitid_by_pidfd() {
    const ShortChild child;
    if (child.pid() < 0) return errno;
    const auto pidfd = pidfd_of(child.pid());
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOWAIT) != 0) return errno;
    return info.si_status == 7 ? 0 : EPROTO;
}

/// Of a child that is reaped already: as a stranger would ask.
int try_pidfd_info() {
    ShortChild child;
    if (child.pid() < 0) return errno;
    const os::PidFd process{pidfd_of(child.pid()), child.pid()};
    if (!process) return errno;
    child.reap();
    const auto exit = os::find_exit_of_stranger(process, 0);
    return exit && exit->value == 7 ? 0 : ENOTTY;
}

int try_memfd() {
    const os::UniqueFd memory{::memfd_create("pp-doctor", MFD_CLOEXEC)};
    return error_of(memory.get());
}

int try_terminal_peer() {
    const os::UniqueFd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (!master) return errno;
    if (::unlockpt(master.get()) != 0) return errno;
    const os::UniqueFd slave{::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)};
    return error_of(slave.get());
}

int try_peer_credentials() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return errno;
    const os::UniqueFd one{ends[0]};
    const os::UniqueFd other{ends[1]};
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(one.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return errno;
    return peer.uid == ::geteuid() ? 0 : EPROTO;
}

/// Asks for a connection that does not exist: any answer will do.
int try_socket_diagnosis() {
    const os::UniqueFd netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (!netlink) return errno;
    const timeval limit{1, 0};
    ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct {
        nlmsghdr header;
        inet_diag_req_v2 request;
    } question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = AF_INET;
    question.request.sdiag_protocol = IPPROTO_TCP;
    question.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (::send(netlink.get(), &question, sizeof question, 0) < 0) return errno;
    std::array<char, 4096> answer{};
    return error_of(::recv(netlink.get(), answer.data(), answer.size(), 0));
}

int try_subreaper() {
    int is_one = 0;
    return error_of(::prctl(PR_GET_CHILD_SUBREAPER, &is_one));
}

int try_close_range() {
    return error_of(::syscall(SYS_close_range, ~0U, ~0U, 0U));
}

}  // namespace

std::vector<Probe> kernel_probes() {
    return {
        {"pidfd_open", try_pidfd_open(), "pp cannot hold a process by descriptor"},
        {"waitid by pidfd", try_waitid_by_pidfd(), "no exit can be read without reaping"},
        {"child subreapers", try_subreaper(), "what a program leaves behind cannot be followed"},
        {"close_range", try_close_range(), "children would inherit descriptors"},
        {"memfd", try_memfd(), "no memory can be shared without a file"},
        {"TIOCGPTPEER", try_terminal_peer(), "mode pty does not work; mode pipe does"},
        {"SO_PEERCRED", try_peer_credentials(), "nobody can be told from another user"},
        {"sock_diag", try_socket_diagnosis(),
         "agents on the TCP port need the token of state/token; mcp.sock works without", false},
        {"PIDFD_GET_INFO with exits (Linux 6.15)", try_pidfd_info(),
         "an exit that only pp's dead keeper and shim could have seen stays unknown", false},
    };
}

std::string kernel_name() {
    utsname name{};
    ::uname(&name);
    return std::string{name.sysname} + " " + name.release;
}

Findings check_kernel() {
    return judge(
        "kernel", kernel_name(), kernel_probes(),
        "use Linux 5.9 or later; a sandbox or container may refuse the call too: run pp outside of it");
}

}  // namespace pp::cli::doctor
