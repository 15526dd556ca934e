// under_faults SOCKET PROGRAM ARGUMENT…: becomes the program, under a filter whose listener was sent to the socket first
// (fault_injector.h). PROGRAM is a path.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>
#include <vector>

#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"
#include "protocol/os/unix_socket.h"
#include "tests/support/faulty_calls.h"

namespace {

using namespace pp;

std::vector<sock_filter> filter() {
    constexpr auto kCalls = test::kFaultyCalls.size();
    std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (std::size_t i = 0; i < kCalls; ++i)  // to the last statement, behind the one that allows
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(test::kFaultyCalls[i]),
                                   static_cast<unsigned char>(kCalls - i), 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    return program;
}

os::UniqueFd install() {
    auto statements = filter();
    const sock_fprog program{static_cast<unsigned short>(statements.size()), statements.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) os::throw_errno("prctl", "PR_SET_NO_NEW_PRIVS");
    os::UniqueFd listener{static_cast<int>(
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program))};
    if (!listener) os::throw_errno("seccomp");
    return listener;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    try {
        const auto socket = os::find_seqpacket(argv[1]);
        if (!socket) os::throw_errno("connect", argv[1]);
        {
            const auto listener = install();
            const std::byte nothing{};
            const int fd = listener.get();
            // sendmsg is none of the calls that are asked about
            if (!os::send_message(socket->get(), std::span{&nothing, 1}, std::span{&fd, 1})) os::throw_errno("send");
        }
        ::execv(argv[2], argv + 2);
        os::throw_errno("execute", argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "under_faults: %s\n", error.what());
        return 126;
    }
}
