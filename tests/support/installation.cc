#include "tests/support/installation.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "protocol/os/c_strings.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/os/unix_socket.h"
#include "protocol/ring/state_page.h"
#include "tests/support/directory_watch.h"

namespace pp::test {
namespace {

std::string make_root(const std::string& parent) {
    std::string path = parent + "/pp-e2e-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) os::throw_errno("mkdtemp", path);
    return path;
}

std::array<os::UniqueFd, 2> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) os::throw_errno("pipe");
    return {os::UniqueFd{ends[0]}, os::UniqueFd{ends[1]}};
}

/// Appends what is there; false at its end.
bool read_some(os::UniqueFd& fd, std::string& text) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) {
        fd.reset();
        return false;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
}

}  // namespace

Running::Running(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
                 const std::string& directory) {
    auto input = make_pipe();
    auto out = make_pipe();
    auto err = make_pipe();
    std::vector<std::string> entries;
    for (const auto& [name, value] : environment) entries.push_back(name + "=" + value);
    const os::CStrings arguments{argv};
    const os::CStrings envp{entries};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input[0].get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1].get(), 1);
    ::posix_spawn_file_actions_adddup2(&actions, err[1].get(), 2);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, argv.front().c_str(), &actions, nullptr, arguments.get(), envp.get());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) os::throw_error(error, "spawn", argv.front());
    process_ = std::move(*os::PidFd::find(pid));
    input_ = std::move(input[1]);
    out_ = std::move(out[0]);
    err_ = std::move(err[0]);
}

Running::~Running() {
    if (ended_) return;
    process_.send_signal(SIGKILL);
    process_.wait_for_end();
    process_.reap();
}

/// One wake-up; false when both streams are at their end.
bool Running::read_more() {
    std::array<pollfd, 2> polled = {pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
    if (!out_ && !err_) return false;
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) os::throw_errno("poll");
    if (polled[0].revents != 0) read_some(out_, ran_.out);
    if (polled[1].revents != 0) read_some(err_, ran_.err);
    return true;
}

void Running::wait_for_output(const std::string& text) {
    while (ran_.out.find(text) == std::string::npos) {
        if (!read_more()) throw std::runtime_error("ended without saying '" + text + "': " + ran_.out + ran_.err);
    }
}

void Running::wait_for_error(const std::string& text) {
    while (ran_.err.find(text) == std::string::npos) {
        if (!read_more()) throw std::runtime_error("ended without saying '" + text + "': " + ran_.out + ran_.err);
    }
}

void Running::write(const std::string& text) {
    if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) os::throw_errno("write");
}

Ran Running::wait() {
    while (read_more()) {
    }
    process_.wait_for_end();
    rusage usage{};
    if (const auto exit = process_.find_exit(&usage))
        ran_.code = exit->kind == os::ExitStatus::Kind::exited ? exit->value : 128 + exit->value;
    ran_.max_resident_kib = usage.ru_maxrss;
    ran_.cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    process_.reap();
    ended_ = true;
    return ran_;
}

Installation::Installation(const std::string& parent)
    : root_{make_root(parent)}, programs_{PP_BIN_DIR}, home_{rundir::Home::from_environment({{"PP_HOME", root_}}, ::geteuid())} {
    ::mkdir(work().c_str(), 0700);
    environment_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                    {"HOME", root_},
                    {"LANG", "C.UTF-8"},
                    {"PP_HOME", root_},
                    {"PP_PORT", "0"}};
}

Installation::~Installation() {
    end_all();
    std::filesystem::remove_all(root_);
}

std::vector<pid_t> Installation::living() const {
    std::vector<pid_t> found;
    for (const pid_t pid : os::all_pids()) {
        if (pid != ::getpid() && os::find_environment_value(pid, "PP_HOME") == root_) found.push_back(pid);
    }
    return found;
}

/// Hub and keeper are stopped first, so that neither brings back what the other loses; then all that carries our mark.
void Installation::end_all() const {
    std::vector<os::PidFd> ours;
    const auto add = [&](pid_t pid) {
        if (pid <= 0) return;
        if (auto found = os::PidFd::find(pid)) {
            found->send_signal(SIGSTOP);
            ours.push_back(std::move(*found));
        }
    };
    add(hub_pid());
    add(keeper_pid());
    for (const pid_t pid : living()) add(pid);
    for (const auto& process : ours) process.send_signal(SIGKILL);
    for (const auto& process : ours) {
        process.reap();
        process.wait_for_end();
    }
}

void Installation::copy_programs() {
    const std::string directory = root_ + "/bin";
    std::filesystem::create_directories(directory);
    for (const char* name : {"pp", "pp-hub", "pp-shim", "pp-keeper"}) {
        const auto copy = directory + "/" + name;
        std::filesystem::copy_file(program(name), copy + ".new");
        std::filesystem::rename(copy + ".new", copy);  // as an installer does: the old one may run
    }
    programs_ = directory;
}

std::unique_ptr<Running> Installation::start_pp(const std::vector<std::string>& words) {
    std::vector<std::string> argv{program("pp")};
    argv.insert(argv.end(), words.begin(), words.end());
    return std::make_unique<Running>(argv, environment_, work());
}

Ran Installation::pp(const std::vector<std::string>& words, const std::string& input) {
    const auto running = start_pp(words);
    if (!input.empty()) running->write(input);
    running->close_input();
    return running->wait();
}

nlohmann::json Installation::pp_json(std::vector<std::string> words) {
    words.emplace_back("--json");
    const auto ran = pp(words);
    if (ran.code != 0) throw std::runtime_error("pp " + words.front() + " failed: " + ran.err);
    return nlohmann::json::parse(ran.out);
}

pid_t Installation::hub_pid() const {
    const auto epoch = rundir::find_hub_epoch(home_);
    if (!epoch) return 0;
    const auto stat = os::find_proc_stat(epoch->pid);
    return stat && stat->start_time == epoch->start_time && stat->state != 'Z' ? epoch->pid : 0;
}

std::uint16_t Installation::mcp_port() const {
    return static_cast<std::uint16_t>(rundir::find_hub_epoch(home_).value().port);
}

pid_t Installation::keeper_pid() const {
    const auto connection = os::find_seqpacket(home_.keeper_socket());
    ucred peer{};
    socklen_t size = sizeof peer;
    if (!connection || ::getsockopt(connection->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
    return peer.pid;
}

pid_t Installation::shim_pid(const std::string& id) const {
    const auto state = ring::find_state(home_.state_page(rundir::find_process_number(id).value()));
    return state ? state->lifecycle.shim_pid : 0;
}

void Installation::wait_until_told(const std::string& id) const {
    if (const auto shim = os::PidFd::find(shim_pid(id))) shim->wait_for_end();
}

void Installation::wait_for_hub_log(const std::string& text) const {
    DirectoryWatch log{home_.state() + "/log"};
    while (os::find_file_content(home_.log("hub")).value_or("").find(text) == std::string::npos) log.wait();
}

void Installation::kill_hard(pid_t pid) {
    const auto process = os::PidFd::find(pid);
    if (!process) return;
    process->send_signal(SIGKILL);
    process->wait_for_end();
}

}  // namespace pp::test
