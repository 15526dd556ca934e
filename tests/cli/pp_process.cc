#include "tests/cli/pp_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "protocol/os/c_strings.h"
#include "protocol/os/error.h"

namespace pp::test {
namespace {

struct Pipe {
    os::UniqueFd read;
    os::UniqueFd write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) os::throw_errno("pipe");
    return {os::UniqueFd{ends[0]}, os::UniqueFd{ends[1]}};
}

os::UniqueFd input_of(const std::string& text) {
    os::UniqueFd file{::memfd_create("input", MFD_CLOEXEC)};
    if (!file || ::write(file.get(), text.data(), text.size()) < 0) os::throw_errno("memfd");
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::vector<std::string> environment_with(const std::string& root) {
    std::vector<std::string> environment{"PP_HOME=" + root, "PATH=/usr/local/bin:/usr/bin:/bin",
                                         "LANG=C.UTF-8"};
    if (const char* options = std::getenv("ASAN_OPTIONS"))
        environment.push_back(std::string{"ASAN_OPTIONS="} + options);
    return environment;
}

}  // namespace

PpProcess::PpProcess(const std::string& root, const std::vector<std::string>& words,
                     const std::string& directory, const std::string& input) {
    auto out_ends = make_pipe();
    auto error_ends = make_pipe();
    const auto stdin_file = input_of(input);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, stdin_file.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, out_ends.write.get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, error_ends.write.get(), 2);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    const std::string program = std::string{PP_BIN_DIR} + "/pp";
    const os::CStrings argv{program, words};
    const os::CStrings environment{environment_with(root)};
    const int error_code =
        ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.get(), environment.get());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error_code != 0) os::throw_error(error_code, "posix_spawn", program);
    out_pipe_ = std::move(out_ends.read);
    error_pipe_ = std::move(error_ends.read);
}

PpProcess::~PpProcess() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

/// False when both have ended.
bool PpProcess::read_some() {
    if (!out_pipe_ && !error_pipe_) return false;
    std::array<pollfd, 2> polled{{{out_pipe_.get(), POLLIN, 0}, {error_pipe_.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), -1);
    const auto take = [](const pollfd& ready, os::UniqueFd& pipe, std::string& text) {
        if (ready.revents == 0) return;
        std::array<char, 65536> buffer;
        const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
        if (got <= 0) return pipe.reset();
        text.append(buffer.data(), static_cast<std::size_t>(got));
    };
    take(polled[0], out_pipe_, out);
    take(polled[1], error_pipe_, error);
    return true;
}

bool PpProcess::wait_for_output(const std::string& text) {
    while (out.find(text) == std::string::npos) {
        if (!read_some()) return false;
    }
    return true;
}

bool PpProcess::wait_for_output_beyond(std::size_t size) {
    while (out.size() <= size) {
        if (!read_some()) return false;
    }
    return true;
}

bool PpProcess::wait_for_error(const std::string& text) {
    while (error.find(text) == std::string::npos) {
        if (!read_some()) return false;
    }
    return true;
}

int PpProcess::wait() {
    while (read_some()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void PpProcess::signal(int number) const {
    ::kill(pid_, number);
}

Ran run_pp(const std::string& root, const std::vector<std::string>& words, const std::string& directory) {
    PpProcess process{root, words, directory};
    const int code = process.wait();
    return {code, process.out, process.error};
}

}  // namespace pp::test
