#include "protocol/os/daemon.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "protocol/os/c_strings.h"
#include "protocol/os/error.h"

namespace pp::os {
namespace {

constexpr char kExecFailed = '\x01';  // no program begins its line with it

void reset_signals() {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int report_fd) {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    if (report_fd == kReadyFd)
        ::fcntl(kReadyFd, F_SETFD, 0);
    else
        ::dup2(report_fd, kReadyFd);
    ::syscall(SYS_close_range, kReadyFd + 1U, ~0U, 0U);
    reset_signals();
    if (::chdir("/") == 0) ::execve(program, arguments, environment);
    const char failure[2] = {kExecFailed, static_cast<char>(errno)};  // errno values are below 134
    [[maybe_unused]] const ssize_t written = ::write(kReadyFd, failure, sizeof failure);
    ::_exit(127);
}

/// For as long as it lives, orphans of ours go to our reaper and not to us.
class NoSubreaper {
  public:
    NoSubreaper() {
        ::prctl(PR_GET_CHILD_SUBREAPER, &was_);
        if (was_ != 0) ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    }
    NoSubreaper(const NoSubreaper&) = delete;
    NoSubreaper& operator=(const NoSubreaper&) = delete;
    ~NoSubreaper() {
        if (was_ != 0) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    }

  private:
    int was_ = 0;
};

}  // namespace

std::string start_detached(const std::string& program, const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment) {
    return read_report(begin_detached(program, arguments, environment), program);
}

UniqueFd begin_detached(const std::string& program, const std::vector<std::string>& arguments,
                        const std::vector<std::string>& environment) {
    const CStrings argv{program, arguments};
    const CStrings envp{environment};
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
    UniqueFd read_end{ends[0]};
    const UniqueFd write_end{ends[1]};

    const NoSubreaper orphans_pass;
    const pid_t middle = ::fork();
    if (middle < 0) throw_errno("fork");
    if (middle == 0) {
        ::setsid();
        const pid_t last = ::fork();
        if (last == 0) become(program.c_str(), argv.get(), envp.get(), write_end.get());
        ::_exit(last < 0 ? 1 : 0);
    }
    int status = 0;
    while (::waitpid(middle, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw_error(EAGAIN, "fork", program);
    return read_end;
}

std::string read_report(const UniqueFd& ready, const std::string& program) {
    std::string said;
    std::array<char, 512> buffer{};
    while (true) {
        const ssize_t got = ::read(ready.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        said.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (said.size() == 2 && said[0] == kExecFailed) throw_error(said[1], "execute", program);
    return said;
}

void report_ready(const std::string& text) {
    struct stat status {};
    if (::fstat(kReadyFd, &status) != 0 || !S_ISFIFO(status.st_mode)) return;
    [[maybe_unused]] const ssize_t written = ::write(kReadyFd, text.data(), text.size());
    ::close(kReadyFd);
}

std::string sibling_program(const std::string& name) {
    std::string path(4096, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    if (size < 0) throw_errno("readlink", "/proc/self/exe");
    path.resize(static_cast<std::size_t>(size));  // a replaced program reads "… (deleted)": its directory is the same
    return path.substr(0, path.rfind('/') + 1) + name;
}

}  // namespace pp::os
