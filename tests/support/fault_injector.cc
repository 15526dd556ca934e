#include "tests/support/fault_injector.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/read_file.h"
#include "protocol/os/unix_socket.h"

namespace pp::test {
namespace {

/// Text in another program's memory.
std::string read_text(pid_t pid, unsigned long long address) {
    std::array<char, 4096> text{};
    const iovec here{text.data(), text.size() - 1};
    // as far as the page goes, and the next one may not be there
    const auto in_page = 4096 - address % 4096;
    const iovec there{reinterpret_cast<void*>(address), std::min<std::size_t>(in_page, text.size() - 1)};  // NOLINT
    if (::process_vm_readv(pid, &here, 1, &there, 1, 0) <= 0) return {};
    return text.data();
}

std::string path_of(pid_t pid, unsigned long long fd) {
    std::array<char, 4096> path{};
    const auto link = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(static_cast<int>(fd));
    const ssize_t size = ::readlink(link.c_str(), path.data(), path.size() - 1);
    return size > 0 ? std::string{path.data(), static_cast<std::size_t>(size)} : std::string{};
}

/// The path that a call is about; empty if it is about none.
std::string object_of(pid_t pid, long call, const unsigned long long* arguments) {
    switch (call) {
        case SYS_openat:
        case SYS_rename: return read_text(pid, arguments[1]);
        case SYS_mkdir: return read_text(pid, arguments[0]);
        case SYS_splice: return path_of(pid, arguments[2]);
        case SYS_write:
        case SYS_pwrite64:
        case SYS_pread64:
        case SYS_fsync:
        case SYS_fdatasync:
        case SYS_ftruncate:
        case SYS_fallocate: return path_of(pid, arguments[0]);
        default: return {};
    }
}

std::string program_of(pid_t pid) {
    auto name = os::find_file_content("/proc/" + std::to_string(pid) + "/comm").value_or("");
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

/// UBSan looks at memory through a pipe, one without flags, and takes what it may not look at for damaged.
bool is_sanitizers_own(long call, const unsigned long long* arguments) {
    return call == SYS_pipe2 && arguments[1] == 0;
}

}  // namespace

FaultInjector::FaultInjector()
    : socket_{os::listen_seqpacket(directory_ / "listener")},
      stop_{::eventfd(0, EFD_CLOEXEC)},
      thread_{[this] { serve(); }} {}

FaultInjector::~FaultInjector() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

std::string FaultInjector::why_not() {
    std::uint32_t action = SECCOMP_RET_USER_NOTIF;
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return "";
    return "this kernel asks nobody about system calls: " + os::error_text(errno);
}

std::vector<std::string> FaultInjector::under_faults(const std::vector<std::string>& argv) const {
    std::vector<std::string> command{std::string{PP_BIN_DIR} + "/under_faults", directory_ / "listener"};
    command.insert(command.end(), argv.begin(), argv.end());
    return command;
}

void FaultInjector::inject(Fault fault) {
    const std::lock_guard lock{mutex_};
    faults_.push_back(std::move(fault));
}

void FaultInjector::mend() {
    const std::lock_guard lock{mutex_};
    faults_.clear();
}

std::size_t FaultInjector::count() const {
    const std::lock_guard lock{mutex_};
    return count_;
}

void FaultInjector::wait_for(std::size_t count) const {
    std::unique_lock lock{mutex_};
    failed_.wait(lock, [&] { return count_ >= count; });
}

void FaultInjector::serve() {
    while (true) {
        std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
        for (const auto& listener : listeners_) polled.push_back({listener.get(), POLLIN, 0});
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
        if (polled[0].revents != 0) return;
        for (std::size_t i = 2; i < polled.size(); ++i) {
            if ((polled[i].revents & POLLIN) != 0) answer(polled[i].fd);
        }
        std::erase_if(listeners_, [&](const os::UniqueFd& listener) {  // all that ran under it have ended
            return std::any_of(polled.begin(), polled.end(), [&](const pollfd& one) {
                return one.fd == listener.get() && (one.revents & POLLHUP) != 0;
            });
        });
        if (polled[1].revents != 0) accept();
    }
}

void FaultInjector::accept() {
    auto end = os::AcceptEnd::nothing_waits;
    const auto connection = os::accept_own_uid(socket_.get(), end);
    if (!connection) return;
    pollfd polled{connection->get(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    std::array<std::byte, 1> buffer;
    os::ReceiveEnd ignored{};
    auto received = os::receive_message(connection->get(), buffer, ignored);
    if (received && received->fds.size() == 1) listeners_.push_back(std::move(received->fds[0]));
}

void FaultInjector::answer(int listener) {
    seccomp_notif question{};
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) return;  // it was killed meanwhile
    seccomp_notif_resp reply{};
    reply.id = question.id;
    const auto pid = static_cast<pid_t>(question.pid);
    reply.error = -error_for(pid, question.data.nr, question.data.args);
    if (reply.error == 0) reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) != 0 || reply.error == 0) return;
    {
        const std::lock_guard lock{mutex_};
        ++count_;
    }
    failed_.notify_all();
}

int FaultInjector::error_for(pid_t pid, long call, const unsigned long long* arguments) const {
    if (is_sanitizers_own(call, arguments)) return 0;
    const std::lock_guard lock{mutex_};
    for (const auto& fault : faults_) {
        if (std::find(fault.calls.begin(), fault.calls.end(), call) == fault.calls.end()) continue;
        if (!fault.program.empty() && program_of(pid) != fault.program) continue;
        if (!fault.file.empty() && !object_of(pid, call, arguments).ends_with(fault.file)) continue;
        return fault.error;
    }
    return 0;
}

}  // namespace pp::test
