#include "shim/keeper/keeper.h"

#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <optional>

#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"

namespace pp::keeper {
namespace {

using wire::HeldKind;
using wire::KeeperMessage;
using wire::KeeperVerb;

constexpr int kMaxFailures = 3;
constexpr auto kFirstConnectionWithin = std::chrono::seconds{30};

std::span<const std::byte> bytes_of(const KeeperMessage& message) {
    return {reinterpret_cast<const std::byte*>(&message), sizeof message};
}

bool same_thing(const KeeperMessage& a, const KeeperMessage& b) {
    return a.kind == b.kind && a.run == b.run && a.stream == b.stream;
}

KeeperMessage gone(std::uint64_t process, std::uint8_t flag, pid_t successor = 0) {
    KeeperMessage message;
    message.verb = KeeperVerb::shim_gone;
    message.process = process;
    message.flag = flag;
    message.pid = successor;
    return message;
}

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

Keeper::Keeper(const rundir::Home& home)
    : home_{home},
      signals_{SIGCHLD, SIGTERM, SIGINT, SIGHUP},
      listener_{os::listen_seqpacket(home.keeper_socket())},
      hold_{home.hold()},
      signal_watch_{loop_, signals_.get(), POLLIN, [this](short) { on_child_signal(); }},
      first_connection_timer_{loop_, [this] { had_connection_ = true; }} {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) os::throw_errno("prctl", "PR_SET_CHILD_SUBREAPER");
    listener_watch_ = std::make_unique<os::Loop::Watch>(loop_, listener_.get(), POLLIN, [this](short) { accept(); });
    first_connection_timer_.set(kFirstConnectionWithin);
    loop_.on_prepare([this] {
        connections_.remove_if([](const Connection& connection) { return connection.closed; });
        end_if_idle();
        return false;
    });
}

void Keeper::accept() {
    while (auto socket = os::accept_own_uid(listener_.get())) {
        had_connection_ = true;
        first_connection_timer_.clear();
        adopt_connection(std::move(*socket));
    }
}

Keeper::Connection& Keeper::adopt_connection(os::UniqueFd socket) {
    Connection& connection = connections_.emplace_back();
    connection.socket = std::move(socket);
    connection.watch = std::make_unique<os::Loop::Watch>(loop_, connection.socket.get(), POLLIN,
                                                         [this, &connection](short) { on_message(connection); });
    return connection;
}

void Keeper::on_message(Connection& connection) {
    std::array<std::byte, 512> buffer;
    while (!connection.closed) {
        os::ReceiveEnd end{};
        auto received = os::receive_message(connection.socket.get(), buffer, end);
        if (!received) {
            if (end == os::ReceiveEnd::closed) close(connection);
            return;
        }
        KeeperMessage message;
        if (received->size < sizeof message) return close(connection);
        std::memcpy(&message, buffer.data(), sizeof message);
        if (message.magic != wire::kKeeperMagic) return close(connection);
        try {
            handle(connection, message, std::move(received->fds));
        } catch (const std::exception&) {
            close(connection);  // what it sent cannot be used: a page that is none, a process that is not there
        }
    }
}

void Keeper::handle(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    switch (message.verb) {
        case KeeperVerb::spawn: return on_spawn(connection, message);
        case KeeperVerb::attach: return on_attach(connection, message, std::move(fds));
        case KeeperVerb::deposit: return on_deposit(connection, message, std::move(fds));
        case KeeperVerb::withdraw: return on_withdraw(connection, message);
        case KeeperVerb::goodbye:
            if (Ward* ward = find_ward(connection.process)) {
                ward->said_goodbye = true;
                ward->held.clear();
            }
            return;
        case KeeperVerb::status: {
            KeeperMessage reply;
            reply.verb = KeeperVerb::status_is;
            reply.pid = ::getpid();
            reply.value = static_cast<std::int32_t>(wards_.size());
            return answer(connection, reply);
        }
        case KeeperVerb::spawned:
        case KeeperVerb::refused:
        case KeeperVerb::status_is:
        case KeeperVerb::held:
        case KeeperVerb::ready:
        case KeeperVerb::orphan_exited:
        case KeeperVerb::shim_gone: break;  // ours to say
    }
    close(connection);
}

/// Marks it; the loop's next turn frees it, so that nobody's reference dies under them.
void Keeper::close(Connection& connection) {
    connection.closed = true;
    connection.watch.reset();
    connection.socket.reset();
    for (auto& [process, ward] : wards_) {
        if (ward.connection == &connection) ward.connection = nullptr;
        if (ward.spawn_asker == &connection) ward.spawn_asker = nullptr;
    }
}

Keeper::Ward* Keeper::find_ward(std::uint64_t process) {
    const auto found = wards_.find(process);
    return found == wards_.end() ? nullptr : &found->second;
}

void Keeper::on_spawn(Connection& asker, const KeeperMessage& message) {
    KeeperMessage reply;
    reply.process = message.process;
    Ward& ward = wards_[message.process];
    ward.process = message.process;
    if (ward.shim && ward.said_goodbye) {  // it is on its way out: the new one begins when it has gone
        ward.spawn_wanted = true;
        ward.wanted_takeover = message.flag == 1;
        ward.spawn_asker = &asker;
        return;
    }
    int error = EALREADY;
    ward.failures = 0;
    if (!ward.shim && start_shim(ward, message.flag == 1 || !ward.held.empty(), error)) {
        reply.verb = KeeperVerb::spawned;
        reply.pid = ward.shim.pid();
    } else {
        reply.verb = KeeperVerb::refused;
        reply.value = error;
        if (!ward.shim && ward.held.empty()) wards_.erase(message.process);
    }
    answer(asker, reply);
}

/// A shim says who it is: ours by birth, or one of an earlier keeper's that found us. It gets back what is held for it.
void Keeper::on_attach(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    if (fds.size() != 2) return close(connection);
    Ward& ward = wards_[message.process];
    ward.process = message.process;
    if (ward.shim && ward.shim.pid() != message.pid) return close(connection);
    connection.process = message.process;
    if (!ward.shim) {
        ward.shim = os::PidFd{std::move(fds[0]), message.pid};
        ward.is_child = false;
        watch_shim(ward);
    }
    ward.connection = &connection;
    ward.failures = 0;
    ward.said_goodbye = false;
    ward.page = ring::StatePage::from_fd(std::move(fds[1]), os::MappedFile::Access::read_write);
    for (const Held& held : ward.held) {
        KeeperMessage back = held.what;
        back.verb = KeeperVerb::held;
        const std::array<int, 1> fd = {held.fd.get()};
        os::send_message(connection.socket.get(), bytes_of(back), fd);
    }
    KeeperMessage ready;
    ready.verb = KeeperVerb::ready;
    answer(connection, ready);
}

void Keeper::on_deposit(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    Ward* ward = find_ward(connection.process);
    if (ward == nullptr || fds.size() != 1) return close(connection);
    on_withdraw(connection, message);
    ward->held.push_back({message, std::move(fds[0])});
}

void Keeper::on_withdraw(Connection& connection, const KeeperMessage& message) {
    Ward* ward = find_ward(connection.process);
    if (ward == nullptr) return close(connection);
    std::erase_if(ward->held, [&](const Held& held) { return same_thing(held.what, message); });
}

bool Keeper::start_shim(Ward& ward, bool takeover, int& error) {
    auto ends = os::seqpacket_pair();
    const std::string program = os::sibling_program("pp-shim");
    std::vector<std::string> arguments{std::to_string(ward.process)};
    if (takeover) arguments.emplace_back("--takeover");
    const os::CStrings argv{program, arguments};

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1].get(), wire::kBirthSocketFd);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    pid_t pid = 0;
    error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.get(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return false;

    auto shim = os::PidFd::find(pid);  // ours and not reaped: it is there
    ward.shim = std::move(*shim);
    ward.is_child = true;
    ward.said_goodbye = false;
    watch_shim(ward);
    ward.connection = &adopt_connection(std::move(ends[0]));
    ward.connection->process = ward.process;
    return true;
}

void Keeper::watch_shim(Ward& ward) {
    ward.shim_watch = std::make_unique<os::Loop::Watch>(loop_, ward.shim.get(), POLLIN,
                                                        [this, process = ward.process](short) { on_shim_death(process); });
}

void Keeper::on_shim_death(std::uint64_t process) {
    Ward* ward = find_ward(process);
    if (ward == nullptr || !ward->shim) return;
    // What it sent before it died still counts: its goodbye, its last deposits.
    if (ward->connection != nullptr) on_message(*ward->connection);
    const auto exit = ward->shim.find_exit();
    ward->shim.reap();
    ward->shim_watch.reset();
    ward->shim = {};
    if (ward->connection != nullptr) close(*ward->connection);

    if (ward->said_goodbye) {
        tell_hubs(gone(process, 1));
        if (!ward->spawn_wanted) {
            wards_.erase(process);
            return;
        }
        KeeperMessage reply;
        reply.process = process;
        int error = 0;
        Connection* asker = ward->spawn_asker;
        const bool started = start_shim(*ward, ward->wanted_takeover, error);
        ward->spawn_wanted = false;
        ward->spawn_asker = nullptr;
        reply.verb = started ? KeeperVerb::spawned : KeeperVerb::refused;
        reply.pid = started ? ward->shim.pid() : 0;
        reply.value = error;
        if (asker != nullptr) answer(*asker, reply);
        if (!started) wards_.erase(process);
        return;
    }
    // A shim that ends by itself without a goodbye could not come up, or crashed; one that was killed did nothing wrong.
    const bool was_killed = exit && exit->kind == os::ExitStatus::Kind::signaled &&
                            (exit->value == SIGKILL || exit->value == SIGTERM);
    ward->failures = was_killed ? 0 : ward->failures + 1;
    int error = 0;
    if (ward->failures >= kMaxFailures || !start_shim(*ward, true, error)) {
        tell_hubs(gone(process, 3));
        // what is held stays held: the child must not notice
        return;
    }
    tell_hubs(gone(process, 2, ward->shim.pid()));
}

void Keeper::on_child_signal() {
    while (const auto info = signals_.try_read()) {
        // TERM, INT, HUP: a keeper ends by itself when nobody needs it, and not before
    }
    while (true) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == 0) return;
        const pid_t pid = info.si_pid;
        const auto ward = std::find_if(wards_.begin(), wards_.end(), [&](const auto& entry) {
            return entry.second.is_child && entry.second.shim && entry.second.shim.pid() == pid;
        });
        if (ward != wards_.end())
            on_shim_death(ward->first);
        else
            record_orphan(pid);
    }
}

/// Writes how it ended into the state page of the process whose main it was, and only then reaps. An orphan that was
/// nobody's main (a daemon that forked twice) is just reaped.
void Keeper::record_orphan(pid_t pid) {
    for (auto& [process, ward] : wards_) {
        if (!ward.page || ward.page->spawned_pid.load(std::memory_order_acquire) != pid) continue;
        const auto stat = os::find_proc_stat(pid);
        const auto orphan = os::PidFd::find(pid);
        rusage usage{};
        const auto status = orphan ? orphan->find_exit(&usage) : std::nullopt;
        if (!status) continue;
        ring::OrphanExit record;
        record.pid = pid;
        record.start_time = stat ? stat->start_time : 0;
        record.ended_at_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
        record.kind = status->kind == os::ExitStatus::Kind::exited ? ring::ExitKind::exited : ring::ExitKind::signaled;
        record.value = status->value;
        record.core_dumped = status->core ? 1 : 0;
        record.user_us = microseconds(usage.ru_utime);
        record.system_us = microseconds(usage.ru_stime);
        record.max_resident_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
        ward.page.store_orphan(record);
        KeeperMessage message;
        message.verb = KeeperVerb::orphan_exited;
        message.process = process;
        message.pid = pid;
        if (ward.connection != nullptr) answer(*ward.connection, message);
    }
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
}

void Keeper::answer(Connection& connection, KeeperMessage message) {
    if (!connection.closed) os::send_message(connection.socket.get(), bytes_of(message));
}

void Keeper::tell_hubs(const KeeperMessage& message) {
    for (auto& connection : connections_) {
        if (connection.process == 0) answer(connection, message);
    }
}

void Keeper::end_if_idle() {
    if (!had_connection_ || !wards_.empty() || !connections_.empty()) return;
    accept();  // who connected in this moment is not turned away
    if (connections_.empty()) loop_.stop();
}

}  // namespace pp::keeper
