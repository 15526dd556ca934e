#include "tests/support/world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/futex.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/os/unix_socket.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/process_files.h"

namespace pp::test {
namespace {

std::string make_root() {
    std::string path = "/tmp/pp-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) os::throw_errno("mkdtemp", path);
    return path;
}

}  // namespace

World::World() : root_{make_root()}, home_{rundir::Home::from_environment({{"PP_HOME", root_}}, ::geteuid())} {
    home_.prepare();
    run_watch_.emplace(home_.run());
}

/// Stopped first, the keeper starts no successor, and no shim finds it dead and brings another into being.
World::~World() {
    const pid_t keeper = keeper_pid();
    if (keeper > 0) ::kill(keeper, SIGSTOP);
    std::vector<os::PidFd> ours;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0) continue;
        const bool is_child = os::find_environment_value(pid, "PP_TEST_WORLD") == root_;
        const bool is_shim = pid != keeper && os::find_environment_value(pid, "PP_HOME") == root_;
        if (!is_child && !is_shim) continue;
        if (auto found = os::PidFd::find(pid)) ours.push_back(std::move(*found));
    }
    for (const auto& process : ours) process.send_signal(SIGKILL);
    for (const auto& process : ours) process.wait_for_end();
    keeper_.reset();
    if (keeper > 0) kill_hard(keeper);
    std::filesystem::remove_all(root_);
}

rundir::Launch World::launch(std::uint64_t process, std::vector<std::string> argv) const {
    rundir::Launch launch;
    launch.process = process;
    launch.name = "test-" + std::to_string(process);
    launch.argv = std::move(argv);
    launch.working_directory = root_;
    launch.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}, {"PP_TEST_WORLD", root_}};
    launch.streams = "merged";
    return launch;
}

rundir::Launch World::shell(std::uint64_t process, const std::string& script) const {
    return launch(process, {"bash", "-c", script});
}

pid_t World::start(const rundir::Launch& launch) {
    ::mkdir(home_.process(launch.process).c_str(), 0700);
    rundir::write_launch(home_.launch(launch.process), launch);
    const pid_t shim = spawn(launch.process);
    run_watch_->wait_for(rundir::process_id(launch.process) + ".state");
    return shim;
}

void World::connect_keeper() {
    while (true) {
        if (auto found = os::find_seqpacket(home_.keeper_socket())) {
            keeper_ = std::move(*found);
            return;
        }
        os::start_detached(std::string{PP_BIN_DIR} + "/pp-keeper", {}, home_.environment());
    }
}

/// Nothing if the keeper has gone. What it tells of shims is kept.
std::optional<wire::KeeperMessage> World::receive() {
    while (true) {
        wire::KeeperMessage message;
        os::ReceiveEnd end{};
        const auto got = os::receive_message(keeper_.get(), std::as_writable_bytes(std::span{&message, 1}), end);
        if (got && message.verb == wire::KeeperVerb::shim_gone) gone_.push_back(message);
        if (got) return message;
        if (end == os::ReceiveEnd::closed) return std::nullopt;
        pollfd polled{keeper_.get(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
}

wire::KeeperMessage World::ask(const wire::KeeperMessage& message) {
    for (int tries = 0; tries < 3; ++tries) {
        if (!keeper_) connect_keeper();
        os::send_message(keeper_.get(), std::as_bytes(std::span{&message, 1}));
        while (const auto reply = receive()) {
            if (reply->verb != wire::KeeperVerb::shim_gone) return *reply;
        }
        keeper_.reset();
    }
    throw std::runtime_error("the keeper does not answer");
}

wire::KeeperMessage World::upgrade_keeper(const std::string& program) {
    if (!keeper_) connect_keeper();
    const os::UniqueFd file{::open(program.c_str(), O_PATH | O_CLOEXEC)};
    if (!file) os::throw_errno("open", program);
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::upgrade;
    const std::array<int, 1> fds = {file.get()};
    os::send_message(keeper_.get(), std::as_bytes(std::span{&message, 1}), fds);
    while (const auto reply = receive()) {
        if (reply->verb == wire::KeeperVerb::refused || reply->flag == 1) return *reply;
    }
    throw std::runtime_error("the keeper has died");
}

void World::tell_keeper(const wire::KeeperMessage& message) {
    if (!keeper_) connect_keeper();
    os::send_message(keeper_.get(), std::as_bytes(std::span{&message, 1}));
}

pid_t World::spawn(std::uint64_t process, bool takeover) {
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::spawn;
    message.process = process;
    message.flag = takeover ? 1 : 0;
    const auto reply = ask(message);
    if (reply.verb != wire::KeeperVerb::spawned) os::throw_error(reply.value, "spawn");
    return reply.pid;
}

void World::ensure_shim(std::uint64_t process) {
    try {
        spawn(process, true);
    } catch (const std::system_error& error) {
        if (error.code().value() != EALREADY) throw;
    }
}

ring::StateSnapshot World::state(std::uint64_t process) const {
    auto state = ring::find_state(home_.state_page(process));
    if (!state) throw std::runtime_error("no state page");
    return *state;
}

ring::StateSnapshot World::wait_until(std::uint64_t process,
                                      const std::function<bool(const ring::StateSnapshot&)>& holds) {
    const auto page = ring::StatePage::open(home_.state_page(process), os::MappedFile::Access::read);
    while (true) {
        const auto seen = page->wake.load(std::memory_order_acquire);
        const auto now = ring::read_state(page.fd());
        if (holds(now)) return now;
        os::futex_wait(page->wake, seen);
    }
}

ring::StateSnapshot World::wait_until_running(std::uint64_t process, std::uint32_t run) {
    return wait_until(process, [&](const auto& state) {
        return state.lifecycle.run >= run && state.lifecycle.state != ring::LifeState::starting;
    });
}

ring::StateSnapshot World::wait_until_finished(std::uint64_t process, std::uint32_t run) {
    return wait_until(process, [&](const auto& state) {
        return state.lifecycle.run >= run && state.lifecycle.state == ring::LifeState::finished;
    });
}

ring::StateSnapshot World::wait_until_drained(std::uint64_t process) {
    return wait_until(process, [&](const auto& state) { return state.lifecycle.drained != 0; });
}

void World::wait_for_output(std::uint64_t process, const std::string& text) {
    wait_until(process, [&](const auto&) { return output(process).text.find(text) != std::string::npos; });
}

World::Output World::output(std::uint64_t process, std::optional<ring::Stream> stream) const {
    Output output;
    auto reader = ring::Reader::find(rundir::ring_paths(home_, process));
    if (!reader) return output;
    const auto limit = reader->refresh().tail;
    output.end = limit;
    std::vector<ring::Chunk> chunks{{0, limit, 0, 0, 0, ring::Stream::merged, 0}};
    if (stream) {
        chunks = reader->chunks(0, limit);
        std::erase_if(chunks, [&](const ring::Chunk& chunk) { return chunk.stream != *stream; });
    }
    std::vector<std::byte> buffer(1 << 20);
    for (const auto& chunk : chunks) {
        for (auto cursor = chunk.begin; cursor < chunk.end;) {
            const auto read = reader->read(cursor, chunk.end, buffer);
            output.lost += read.lost;
            output.text.append(reinterpret_cast<const char*>(buffer.data()), read.size);
            if (read.next == cursor) break;
            cursor = read.next;
        }
    }
    return output;
}

std::vector<rundir::Event> World::events(std::uint64_t process) const {
    return rundir::read_events(home_.events(process), 1);
}

void World::kill_hard(pid_t pid) {
    const auto process = os::PidFd::find(pid);
    if (!process) return;
    process->send_signal(SIGKILL);
    process->wait_for_end();
}

pid_t World::keeper_pid() {
    if (!keeper_) {
        auto found = os::find_seqpacket(home_.keeper_socket());
        if (!found) return 0;
        keeper_ = std::move(*found);
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(keeper_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
    return peer.pid;
}

pid_t World::wait_for_keeper(pid_t old) {
    DirectoryWatch log{home_.state() + "/log"};  // the keeper says there that it listens
    while (true) {
        keeper_.reset();
        const pid_t pid = keeper_pid();
        if (pid > 0 && pid != old) return pid;
        log.wait();
    }
}

void World::wait_until_kept(std::int32_t shims, std::uint32_t descriptors) {
    wire::KeeperMessage status;
    status.verb = wire::KeeperVerb::status;
    while (true) {
        const auto is = ask(status);
        if (is.value == shims && is.run == descriptors) return;
    }
}

void World::wait_for_gone(std::uint64_t process, std::uint8_t flag) {
    const auto is_meant = [&](const wire::KeeperMessage& gone) { return gone.process == process && gone.flag == flag; };
    while (std::none_of(gone_.begin(), gone_.end(), is_meant)) {
        if (!receive()) throw std::runtime_error("the keeper has gone");
    }
}

std::string World::keeper_log() const { return os::find_file_content(home_.log("keeper")).value_or(""); }

void World::kill_keeper() {
    keeper_.reset();
    const pid_t pid = keeper_pid();
    keeper_.reset();
    if (pid > 0) kill_hard(pid);
}

ring::StateSnapshot World::wait_for_successor(std::uint64_t process, pid_t old) {
    return wait_until(process, [&](const auto& state) { return state.lifecycle.shim_pid != old; });
}

}  // namespace pp::test
