#include "shim/child.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "protocol/os/c_strings.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/mark.h"
#include "shim/newest_child.h"

namespace pp::shim {
namespace {

struct TwoEnds {
    os::UniqueFd read;
    os::UniqueFd write;
};

TwoEnds make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) os::throw_errno("pipe");
    return {os::UniqueFd{ends[0]}, os::UniqueFd{ends[1]}};
}

/// Of our end only: an end is a file description of its own, the child's stays blocking.
void set_non_blocking(const os::UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

/// All that the child needs, laid out before vfork. It only reads this, and writes `error` and `failed`.
struct Plan {
    const char* directory;
    char* const* argv;
    char* const* shell_argv;  ///< for a script without #!: sh, path, arguments
    char* const* environment;
    const char* const* candidates;  ///< paths to try, NULL-ended
    std::size_t shell_path_slot;
    std::array<int, 3> standard;
    std::array<int, 2> spare;
    bool has_terminal;
    mode_t mask;
    int nice;
    const std::int64_t* limits;
    std::size_t limit_count;
    ring::StatePageLayout* page;
    std::uint64_t seen;  ///< as NewestChild tells it
    volatile int error;
    const char* volatile failed;
};

void set_limits(const Plan& plan) {
    for (std::size_t i = 0; i + 2 < plan.limit_count; i += 3) {
        const auto value = [](std::int64_t limit) {
            return limit < 0 ? RLIM_INFINITY : static_cast<rlim_t>(limit);
        };
        const rlimit limit{value(plan.limits[i + 1]), value(plan.limits[i + 2])};
        ::setrlimit(static_cast<__rlimit_resource_t>(plan.limits[i]), &limit);
    }
}

/// By the raw call: glibc keeps 32 and 33 to itself, and its posix_spawn has left them ignored in us.
void default_signals() {
    const struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)();
        std::uint64_t mask;
    } action{SIG_DFL, 0, nullptr, 0};
    for (int signal = 1; signal < NSIG; ++signal) ::syscall(SYS_rt_sigaction, signal, &action, nullptr, sizeof action.mask);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Numbers below 3 could be overwritten before they are read: everything is first moved above.
bool place_descriptors(Plan& plan) {
    std::array<int, 5> high{};
    const std::array<int, 5> wanted = {plan.standard[0], plan.standard[1], plan.standard[2], plan.spare[0], plan.spare[1]};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        high[i] = wanted[i] < 0 ? -1 : ::fcntl(wanted[i], F_DUPFD_CLOEXEC, kSpareReadFd + 8);
        if (wanted[i] >= 0 && high[i] < 0) return false;
    }
    for (int i = 0; i < 3; ++i) {
        if (::dup2(high[static_cast<std::size_t>(i)], i) < 0) return false;
    }
    ::syscall(SYS_close_range, 3U, static_cast<unsigned>(kSpareReadFd - 1), 0U);
    for (int i = 0; i < 2; ++i) {
        const int spare = high[static_cast<std::size_t>(3 + i)];
        if (spare >= 0 && ::dup2(spare, kSpareReadFd + i) < 0) return false;
        if (spare < 0) ::close(kSpareReadFd + i);
    }
    ::syscall(SYS_close_range, static_cast<unsigned>(kSpareReadFd + 2), ~0U, 0U);
    return true;
}

/// In the child. Never returns.
[[noreturn]] void become(Plan& plan, std::uint32_t run) {
    plan.failed = "be the newest child";
    if (!NewestChild{*plan.page}.enter(plan.seen, run, ::getpid())) {
        plan.error = ESTALE;
        ::_exit(126);
    }
    ::setsid();
    plan.failed = "place descriptors";
    if (!place_descriptors(plan)) {
        plan.error = errno;
        ::_exit(126);
    }
    plan.failed = "take the terminal";
    if (plan.has_terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) {
        plan.error = errno;
        ::_exit(126);
    }
    ::umask(plan.mask);
    if (plan.nice != 0) ::setpriority(PRIO_PROCESS, 0, plan.nice);
    plan.failed = "change directory";
    if (::chdir(plan.directory) != 0) {
        plan.error = errno;
        ::_exit(126);
    }
    set_limits(plan);
    default_signals();
    plan.failed = "execute";
    int error = ENOENT;
    for (const char* const* candidate = plan.candidates; *candidate != nullptr; ++candidate) {
        ::execve(*candidate, plan.argv, plan.environment);
        if (errno == ENOEXEC) {
            const_cast<char**>(plan.shell_argv)[plan.shell_path_slot] = const_cast<char*>(*candidate);
            ::execve("/bin/sh", plan.shell_argv, plan.environment);
        }
        if (errno != ENOENT && errno != ENOTDIR) error = errno;
    }
    plan.error = error;
    ::_exit(error == ENOENT ? 127 : 126);
}

/// Of its own, so that no variable of the caller lives in a register across vfork.
[[gnu::noinline]] pid_t vfork_and_become(Plan& plan, std::uint32_t run) {
    const pid_t pid = ::vfork();
    if (pid == 0) become(plan, run);
    return pid;
}

std::vector<std::string> environment_of(const rundir::Home& home, const rundir::Launch& launch, std::uint32_t run) {
    auto environment = launch.environment;
    rundir::set_mark(environment, home, launch.process, run);
    if (launch.mode == "pipe") environment.try_emplace("PYTHONUNBUFFERED", "1");
    if (launch.mode == "pty") environment.try_emplace("TERM", "xterm-256color");
    std::vector<std::string> entries;
    for (const auto& [name, value] : environment) entries.push_back(name + "=" + value);
    return entries;
}

/// Where argv[0] may lie: itself if it has a slash, else in each directory of the PATH that the child gets.
std::vector<std::string> candidates_of(const rundir::Launch& launch) {
    const std::string& program = launch.argv.front();
    if (program.find('/') != std::string::npos) return {program};
    const auto found = launch.environment.find("PATH");
    const std::string path = found == launch.environment.end() ? "/usr/local/bin:/usr/bin:/bin" : found->second;
    std::vector<std::string> candidates;
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find(':', begin), path.size());
        const auto directory = path.substr(begin, end - begin);
        candidates.push_back((directory.empty() ? "." : directory) + "/" + program);
        begin = end + 1;
    }
    return candidates;
}

}  // namespace

Pipes make_pipes(const rundir::Launch& launch, TerminalSize size) {
    Pipes pipes;
    if (launch.mode == "pty") {
        pipes.terminal = open_terminal(size);
        pipes.input_ours.reset(::fcntl(pipes.terminal.master.get(), F_DUPFD_CLOEXEC, 0));
        if (!pipes.input_ours) os::throw_errno("dup", "the terminal");
        return pipes;
    }
    const auto add = [&](ring::Stream stream) {
        auto ends = make_pipe();
        set_non_blocking(ends.read);
        pipes.outputs.push_back({std::move(ends.read), std::move(ends.write), stream});
    };
    if (launch.streams == "merged") {
        add(ring::Stream::merged);
    } else {
        add(ring::Stream::out);
        add(ring::Stream::err);
    }
    if (launch.stdin_mode == "pipe") {
        auto ends = make_pipe();
        set_non_blocking(ends.write);
        pipes.input_ours = std::move(ends.write);
        pipes.input_theirs = std::move(ends.read);
    } else {
        pipes.input_theirs.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!pipes.input_theirs) os::throw_errno("open", "/dev/null");
    }
    return pipes;
}

Spawned spawn(const rundir::Home& home, const rundir::Launch& launch, std::uint32_t run, const Pipes& pipes,
              const ring::StatePage& page) {
    const os::CStrings argv{launch.argv};
    const os::CStrings environment{environment_of(home, launch, run)};
    const auto paths = candidates_of(launch);
    std::vector<const char*> candidates;
    for (const auto& path : paths) candidates.push_back(path.c_str());
    candidates.push_back(nullptr);
    std::vector<std::string> shell{"sh", ""};
    shell.insert(shell.end(), launch.argv.begin() + 1, launch.argv.end());
    const os::CStrings shell_argv{shell};

    Plan plan{};
    plan.directory = launch.working_directory.c_str();
    plan.argv = argv.get();
    plan.shell_argv = shell_argv.get();
    plan.shell_path_slot = 1;
    plan.environment = environment.get();
    plan.candidates = candidates.data();
    plan.has_terminal = static_cast<bool>(pipes.terminal.slave);
    if (plan.has_terminal) {
        const int slave = pipes.terminal.slave.get();
        plan.standard = {slave, slave, slave};
        plan.spare = {-1, -1};
    } else {
        const auto& outputs = pipes.outputs;
        plan.standard = {pipes.input_theirs.get(), outputs.front().theirs.get(), outputs.back().theirs.get()};
        plan.spare = {outputs.front().ours.get(), outputs.size() > 1 ? outputs.back().ours.get() : -1};
    }
    plan.mask = static_cast<mode_t>(launch.file_mode_mask);
    plan.nice = launch.nice;
    plan.limits = launch.limits.data();
    plan.limit_count = launch.limits.size();
    plan.page = &*page;
    plan.seen = NewestChild{*page}.seen();

    sigset_t all;
    sigset_t before;
    sigfillset(&all);  // a handler that ran in the child before exec would run in our memory
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = vfork_and_become(plan, run);
    const int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);

    Spawned spawned;
    if (pid < 0) {
        spawned.error = fork_error;
        spawned.failed = "fork";
        return spawned;
    }
    auto main = os::PidFd::find(pid);  // our child, not reaped: it is there
    if (plan.error != 0) {
        spawned.error = plan.error;
        spawned.failed = plan.failed;
        main->wait_for_end();
        main->reap();
        NewestChild{*page}.forget_pid();
        return spawned;
    }
    if (const auto stat = os::find_proc_stat(pid)) spawned.start_time = stat->start_time;
    spawned.main = std::move(*main);
    return spawned;
}

}  // namespace pp::shim
