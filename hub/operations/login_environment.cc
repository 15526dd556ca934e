#include "hub/operations/login_environment.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include "protocol/os/c_strings.h"
#include "protocol/os/unique_fd.h"

namespace pp::hub {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = 4u << 20;
constexpr const char* kMark = "PP_ENVIRONMENT_FOLLOWS";  // what profile scripts print comes before it

pid_t spawn_shell(const std::string& shell, const rundir::Environment& base, int output) {
    const os::CStrings argv{shell, {"-l", "-c", std::string{"printf '%s\\0' "} + kMark + "; exec env -0"}};
    std::vector<std::string> entries;
    for (const auto& [name, value] : base) entries.push_back(name + "=" + value);
    const os::CStrings envp{entries};

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, shell.c_str(), &actions, &attributes, argv.get(), envp.get());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? pid : 0;
}

/// All it says until it closes its output; empty if that takes too long.
std::string read_until_end(int fd, Clock::time_point limit) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (text.size() < kMaxOutput) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - Clock::now()).count();
        pollfd waiting{fd, POLLIN, 0};
        if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) == 0) return {};
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return {};
}

}  // namespace

std::optional<rundir::Environment> find_login_environment(const std::string& shell,
                                                          const rundir::Environment& base,
                                                          std::chrono::milliseconds limit) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    const os::UniqueFd read_end{ends[0]};
    os::UniqueFd write_end{ends[1]};
    const pid_t pid = spawn_shell(shell, base, write_end.get());
    if (pid == 0) return std::nullopt;
    write_end.reset();
    const std::string text = read_until_end(read_end.get(), Clock::now() + limit);
    ::kill(-pid, SIGKILL);  // it has ended, or takes too long: its session is its own
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    const auto mark = text.find(kMark + std::string(1, '\0'));
    if (mark == std::string::npos) return std::nullopt;
    auto environment = parse_environment(text.substr(mark + std::string{kMark}.size() + 1));
    for (const char* own : {"_", "SHLVL", "PWD", "OLDPWD"}) environment.erase(own);
    if (environment.empty()) return std::nullopt;
    return environment;
}

rundir::Environment parse_environment(const std::string& text) {
    rundir::Environment environment;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\0', at), text.size());
        const auto equals = text.find('=', at);
        if (equals != std::string::npos && equals > at && equals < end)
            environment[text.substr(at, equals - at)] = text.substr(equals + 1, end - equals - 1);
        at = end + 1;
    }
    return environment;
}

std::string print_environment(const rundir::Environment& environment) {
    std::string text;
    for (const auto& [name, value] : environment) {
        text += name;
        text += '=';
        text += value;
        text += '\0';
    }
    return text;
}

}  // namespace pp::hub
