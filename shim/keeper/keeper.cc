#include "shim/keeper/keeper.h"

#include <poll.h>
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
#include <utility>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/rundir/given_up.h"
#include "shim/keeper/start_shim.h"

namespace pp::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::HeldKind;
using wire::KeeperMessage;
using wire::KeeperVerb;

constexpr int kMaxFailures = 3;
constexpr seconds kUpAfter{5};  // a shim that has lived so long did come up
constexpr seconds kFirstMessageWithin{30};
constexpr std::size_t kMaxWaiting = 4096;  // messages for one peer, 40 bytes each
// where the system has nothing to give, nobody tells when it has again
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};

std::span<const std::byte> bytes_of(const KeeperMessage& message) {
    return {reinterpret_cast<const std::byte*>(&message), sizeof message};
}

bool send(int socket, const std::string& bytes) { return os::send_message(socket, std::as_bytes(std::span{bytes})); }

bool same_thing(const KeeperMessage& a, const KeeperMessage& b) {
    return a.kind == b.kind && a.run == b.run && a.stream == b.stream;
}

KeeperMessage message_of(KeeperVerb verb, std::uint64_t process) {
    KeeperMessage message;
    message.verb = verb;
    message.process = process;
    return message;
}

KeeperMessage gone(std::uint64_t process, std::uint8_t flag, pid_t successor = 0) {
    KeeperMessage message = message_of(KeeperVerb::shim_gone, process);
    message.flag = flag;
    message.pid = successor;
    return message;
}

/// `spawned` with the shim's pid, or `refused` with the errno.
KeeperMessage outcome(std::uint64_t process, pid_t pid, int error) {
    KeeperMessage message = message_of(error == 0 ? KeeperVerb::spawned : KeeperVerb::refused, process);
    if (error == 0) message.pid = pid;
    message.value = error;
    return message;
}

/// One that was killed did nothing wrong, and one that came up and ends with 0 has handed over.
bool did_nothing_wrong(const std::optional<os::ExitStatus>& exit, bool has_attached) {
    if (!exit) return false;
    if (exit->kind == os::ExitStatus::Kind::exited) return exit->value == 0 && has_attached;
    return exit->value == SIGKILL || exit->value == SIGTERM;
}

std::string text_of(const std::optional<os::ExitStatus>& exit) {
    if (!exit) return "has ended, an earlier keeper's child";
    const bool by_signal = exit->kind == os::ExitStatus::Kind::signaled;
    return (by_signal ? "was ended by signal " : "has ended with code ") + std::to_string(exit->value);
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::uint64_t microseconds(const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

Keeper::Keeper(const rundir::Home& home, Log& log, os::OfdLock lock)
    : Keeper{home, log, std::move(lock), os::listen_seqpacket(home.keeper_socket())} {}

Keeper::Keeper(const rundir::Home& home, Log& log, const HandedState& state)
    : Keeper{home, log, os::OfdLock{os::UniqueFd{state.lock_fd}}, os::UniqueFd{state.listener_fd}} {
    take_over(state);
}

Keeper::Keeper(const rundir::Home& home, Log& log, os::OfdLock lock, os::UniqueFd listener)
    : home_{home},
      log_{log},
      lock_{std::move(lock)},
      signals_{SIGCHLD, SIGTERM, SIGINT, SIGHUP},
      listener_{std::move(listener)},
      hold_{home.hold()},
      signal_watch_{loop_, signals_.get(), POLLIN, [this](short) { on_child_signal(); }},
      retry_pause_{kFirstPause},
      retry_timer_{loop_, [this] { retry(); }},
      first_message_timer_{loop_, [this] { was_needed_ = true; }} {
    listener_watch_.emplace(loop_, listener_.get(), POLLIN, [this](short) { accept(); });
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) os::throw_errno("prctl", "PR_SET_CHILD_SUBREAPER");
    first_message_timer_.set(kFirstMessageWithin);
    loop_.on_prepare([this] { return prepare(); });
}

// Connections ----------------------------------------------------------------------------------------------------------

void Keeper::accept() {
    auto end = os::AcceptEnd::nothing_waits;
    while (has_room_ && may_accept_) {
        auto socket = os::accept_own_uid(listener_.get(), end);
        if (!socket) break;
        adopt_connection(std::move(*socket));
    }
    if (end == os::AcceptEnd::nothing_waits) return;
    const int error = errno;
    log_.say("nobody can be accepted: " + os::error_text(error));
    if (error == EMFILE) {
        has_room_ = false;
    } else {
        may_accept_ = false;
        retry_later();
    }
}

Keeper::Connection& Keeper::adopt_connection(os::UniqueFd socket) {
    Connection& connection = connections_.emplace_back();
    connection.socket = std::move(socket);
    connection.watch =
        std::make_unique<os::Loop::Watch>(loop_, connection.socket.get(), POLLIN, [this, &connection](short events) {
            if ((events & POLLOUT) != 0) flush(connection);
            if ((events & ~POLLOUT) != 0) on_message(connection);
        });
    return connection;
}

void Keeper::on_message(Connection& connection) {
    std::array<std::byte, wire::kMaxKeeperMessage> buffer;
    while (!connection.closed) {
        if (connection.is_birth) reserve_.release();  // what comes with its first message must find room
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
        was_needed_ = true;
        first_message_timer_.clear();
        try {
            if (message.verb == KeeperVerb::failed)
                on_failed(connection, wire::text_behind(std::span{buffer}.first(received->size)));
            else
                handle(connection, message, std::move(received->fds));
        } catch (const std::exception& error) {
            say(message.process, std::string{"what it sent cannot be used: "} + error.what());
            close(connection);
        }
    }
}

void Keeper::handle(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    switch (message.verb) {
        case KeeperVerb::spawn: return on_spawn(connection, message);
        case KeeperVerb::attach: return on_attach(connection, message, std::move(fds));
        case KeeperVerb::deposit: return on_deposit(connection, message, std::move(fds));
        case KeeperVerb::withdraw: return on_withdraw(connection, message);
        case KeeperVerb::goodbye: return on_goodbye(connection);
        case KeeperVerb::status: return on_status(connection);
        case KeeperVerb::upgrade: return on_upgrade(connection, message, std::move(fds));
        case KeeperVerb::forget: return on_forget(message);
        case KeeperVerb::failed: return;  // has a text, and is seen to before
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

/// Who does not listen for thousands of messages is let go: it connects again, and asks again.
void Keeper::answer(Connection& connection, const KeeperMessage& message, std::string_view text) {
    if (connection.closed) return;
    auto bytes = wire::with_text(message, text);
    if (connection.waiting.empty() && send(connection.socket.get(), bytes)) return;
    if (connection.waiting.size() == kMaxWaiting) return close(connection);
    connection.waiting.push_back(std::move(bytes));
    connection.watch->set_events(POLLIN | POLLOUT);
}

void Keeper::flush(Connection& connection) {
    auto& waiting = connection.waiting;
    while (!waiting.empty() && send(connection.socket.get(), waiting.front())) waiting.pop_front();
    if (waiting.empty()) connection.watch->set_events(POLLIN);
}

void Keeper::tell_hubs(const KeeperMessage& message) {
    for (auto& connection : connections_) {
        if (connection.process == 0) answer(connection, message);
    }
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

/// Nothing for a hub, and for a shim in whose place another one has come.
Keeper::Ward* Keeper::find_ward(const Connection& connection) {
    Ward* ward = find_ward(connection.process);
    return ward != nullptr && ward->connection == &connection ? ward : nullptr;
}

void Keeper::say(std::uint64_t process, const std::string& text) { log_.say(rundir::process_id(process) + ": " + text); }

// What is asked --------------------------------------------------------------------------------------------------------

void Keeper::on_spawn(Connection& asker, const KeeperMessage& message) {
    Ward& ward = wards_[message.process];
    ward.process = message.process;
    if (ward.shim && ward.said_goodbye && ward.spawn_asker == nullptr) {  // on its way out: the new one begins when it has gone
        ward.spawn_wanted = true;
        ward.wanted_takeover = message.flag == 1;
        ward.spawn_asker = &asker;
        return;
    }
    if (ward.shim) return answer(asker, outcome(message.process, 0, EALREADY));
    ward.failures = 0;
    const int error = start(ward, message.flag == 1 || !ward.held.empty());
    answer(asker, outcome(message.process, ward.shim.pid(), error));
    forget_if_empty(message.process);
}

/// A shim says who it is: ours by birth, or one of an earlier keeper's that found us. It gets back what is held for it.
void Keeper::on_attach(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    if (fds.size() != 2) return close(connection);  // there was no room for them: it tries again
    ring::PageFile page{std::move(fds[1])};
    Ward& ward = wards_[message.process];
    ward.process = message.process;
    if (!ward.shim || ward.shim.pid() != message.pid) {
        // it has the lock of its process: another one, if we started one, waits for that in vain, and ends
        ward.shim_watch.reset();
        ward.shim = os::PidFd{std::move(fds[0]), message.pid};
        watch_shim(ward);
    }
    connection.process = message.process;
    connection.is_birth = false;
    ward.connection = &connection;
    ward.is_owed = false;
    ward.said_goodbye = false;
    ward.has_attached = true;
    ward.page = std::move(page);
    ::unlink(home_.given_up(message.process).c_str());
    for (const Held& held : ward.held) {
        KeeperMessage back = held.what;
        back.verb = KeeperVerb::held;
        const std::array<int, 1> fd = {held.fd.get()};
        if (!os::send_message(connection.socket.get(), bytes_of(back), fd)) return close(connection);
    }
    answer(connection, message_of(KeeperVerb::ready, message.process));
}

/// One that arrives without its descriptor found no room here: the shim tries again, unless it is what we hold already.
void Keeper::on_deposit(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    Ward* ward = find_ward(connection);
    if (ward == nullptr) return close(connection);
    if (fds.size() != 1) {
        const auto is_same = [&](const Held& held) { return same_thing(held.what, message); };
        if (std::any_of(ward->held.begin(), ward->held.end(), is_same)) return;
        KeeperMessage refusal = message;
        refusal.verb = KeeperVerb::refused;
        refusal.value = EMFILE;
        return answer(connection, refusal);
    }
    on_withdraw(connection, message);
    ward->held.push_back({message, std::move(fds[0])});
}

void Keeper::on_withdraw(Connection& connection, const KeeperMessage& message) {
    Ward* ward = find_ward(connection);
    if (ward == nullptr) return close(connection);
    std::erase_if(ward->held, [&](const Held& held) { return same_thing(held.what, message); });
}

void Keeper::on_goodbye(Connection& connection) {
    Ward* ward = find_ward(connection);
    if (ward == nullptr) return;
    ward->said_goodbye = true;
    ward->held.clear();
}

void Keeper::on_status(Connection& connection, bool is_upgraded) {
    KeeperMessage reply;
    reply.flag = is_upgraded ? 1 : 0;
    reply.verb = KeeperVerb::status_is;
    reply.pid = ::getpid();
    for (const auto& [process, ward] : wards_) {
        if (ward.shim) ++reply.value;
        reply.run += static_cast<std::uint32_t>(ward.held.size());
    }
    answer(connection, reply, PP_VERSION);
}

void Keeper::on_forget(const KeeperMessage& message) {
    Ward* ward = find_ward(message.process);
    if (ward == nullptr || ward->shim || ward->is_owed) return;
    wards_.erase(message.process);
    say(message.process, "forgotten: it was cleared");
}

/// Its last words; its end is still to come.
void Keeper::on_failed(const Connection& connection, const std::string& why) {
    if (Ward* ward = find_ward(connection)) ward->last_words = why;
}

// Shims ----------------------------------------------------------------------------------------------------------------

/// 0 or an errno.
int Keeper::start(Ward& ward, bool takeover) {
    reserve_.release();
    ward.last_words.clear();
    auto started = start_shim(ward.process, takeover);
    if (started.error != 0) {
        ward.last_words = "it could not be started: " + os::error_text(started.error);
        say(ward.process, "its shim could not be started: " + os::error_text(started.error));
        return started.error;
    }
    ward.shim = std::move(started.process);
    ward.said_goodbye = ward.has_attached = false;
    ward.is_owed = false;
    watch_shim(ward);
    ward.connection = &adopt_connection(std::move(started.socket));
    ward.connection->process = ward.process;
    ward.connection->is_birth = true;
    say(ward.process, "shim " + std::to_string(ward.shim.pid()) + " was started" + (takeover ? " to take over" : ""));
    return 0;
}

void Keeper::watch_shim(Ward& ward) {
    ward.shim_since = loop_.now();
    ward.shim_watch = std::make_unique<os::Loop::Watch>(loop_, ward.shim.get(), POLLIN,
                                                        [this, process = ward.process](short) { on_shim_death(process); });
}

void Keeper::on_shim_death(std::uint64_t process) {
    Ward* ward = find_ward(process);
    if (ward == nullptr || !ward->shim) return;
    // What it sent before it died still counts: its goodbye, its last deposits.
    if (ward->connection != nullptr) on_message(*ward->connection);
    if (!ward->shim.ended()) return;
    const auto exit = ward->shim.find_exit();
    ward->shim.reap();
    const auto shim = "shim " + std::to_string(ward->shim.pid());
    ward->shim_watch.reset();
    ward->shim = {};
    if (ward->connection != nullptr) close(*ward->connection);
    if (ward->said_goodbye) {
        say(process, shim + " has ended in order");
        return on_shim_end(*ward);
    }
    say(process, shim + " " + text_of(exit));
    const bool came_up = loop_.now() - ward->shim_since >= kUpAfter;
    ward->failures = did_nothing_wrong(exit, ward->has_attached) || came_up ? 0 : ward->failures + 1;
    if (ward->last_words.empty()) ward->last_words = "it " + text_of(exit);
    start_successor(*ward);
}

/// After its goodbye.
void Keeper::on_shim_end(Ward& ward) {
    tell_hubs(gone(ward.process, 1));
    if (std::exchange(ward.spawn_wanted, false)) {
        Connection* asker = std::exchange(ward.spawn_asker, nullptr);
        ward.failures = 0;
        const int error = start(ward, ward.wanted_takeover);
        if (asker != nullptr) answer(*asker, outcome(ward.process, ward.shim.pid(), error));
    }
    forget_if_empty(ward.process);
}

/// Of one that ended without a goodbye. What the system cannot give now is tried again, without end where it may come;
/// anything else counts as a failure.
void Keeper::start_successor(Ward& ward) {
    if (ward.failures >= kMaxFailures) return give_up(ward);
    restore_page(ward);
    const int error = start(ward, true);
    if (error == 0) return tell_hubs(gone(ward.process, 2, ward.shim.pid()));
    if (!is_shortage(error)) ++ward.failures;
    ward.is_owed = true;
    retry_later();
}

/// The run directory may have been wiped while the dead shim lived, who alone could have noticed: its page is still open.
void Keeper::restore_page(const Ward& ward) {
    const auto path = home_.state_page(ward.process);
    if (!ward.page || ::access(path.c_str(), F_OK) == 0) return;
    try {
        home_.prepare();
        ward.page.restore(path);
        if (::access(home_.process(ward.process).c_str(), F_OK) != 0 && errno == ENOENT) {  // cleared, and no page is wanted
            ::unlink(path.c_str());
            return;
        }
        say(ward.process, "its state page was gone, and is there again");
    } catch (const std::exception& error) {
        say(ward.process, std::string{"its state page could not be restored: "} + error.what());
    }
}

/// What is held stays held: the child must not notice. Whoever looks is told by a file, whatever becomes of us.
void Keeper::give_up(Ward& ward) {
    say(ward.process, "given up: its shim failed to come up " + std::to_string(kMaxFailures) + " times; " +
                          std::to_string(ward.held.size()) + " descriptors stay held");
    ward.is_owed = false;
    try {
        rundir::write_given_up(home_.given_up(ward.process),
                               {now_ns(), "its shim failed to come up three times, the last time with: " + ward.last_words});
    } catch (const std::exception& error) {
        say(ward.process, std::string{"that is not on record: "} + error.what());
    }
    if (ward.page) ward.page.wake();
    tell_hubs(gone(ward.process, 3));
    forget_if_empty(ward.process);
}

void Keeper::forget_if_empty(std::uint64_t process) {
    const Ward* ward = find_ward(process);
    if (ward != nullptr && !ward->shim && ward->held.empty() && !ward->is_owed) wards_.erase(process);
}

void Keeper::on_child_signal() {
    bool names_may_be_gone = false;
    while (const auto info = signals_.try_read()) {
        // TERM, INT: a keeper ends by itself when nobody needs it, and not before
        names_may_be_gone = names_may_be_gone || info->ssi_signo == SIGHUP;
    }
    reserve_.release();  // for /proc, and for names that are gone
    if (names_may_be_gone) restore_names();
    while (true) {
        siginfo_t info{};
        if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == 0) return;
        const pid_t pid = info.si_pid;
        const auto ward = std::find_if(wards_.begin(), wards_.end(), [&](const auto& entry) {
            return entry.second.shim && entry.second.shim.pid() == pid;
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
    std::optional<std::uint64_t> unattended;
    for (auto& [process, ward] : wards_) {
        if (!ward.page || ward.page.spawned_pid() != pid) continue;
        const auto stat = os::find_proc_stat(pid);
        rusage usage{};
        const auto status = os::find_exit_of_child(pid, &usage);
        if (!status) continue;
        ring::OrphanExit record;
        record.pid = pid;
        record.start_time = stat ? stat->start_time : 0;
        record.ended_at_ns = now_ns();
        record.kind = status->kind == os::ExitStatus::Kind::exited ? ring::ExitKind::exited : ring::ExitKind::signaled;
        record.value = status->value;
        record.core_dumped = status->core ? 1 : 0;
        record.user_us = microseconds(usage.ru_utime);
        record.system_us = microseconds(usage.ru_stime);
        record.max_resident_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
        if (!ward.page.store_orphan(record))
            say(process, "how its main ended could not be written: " + os::error_text(errno));
        KeeperMessage message;
        message.verb = KeeperVerb::orphan_exited;
        message.process = process;
        message.pid = pid;
        if (ward.connection != nullptr) answer(*ward.connection, message);
        if (!ward.shim && !ward.is_owed) unattended = process;
    }
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
    if (!unattended) return;
    Ward& ward = *find_ward(*unattended);  // given up: there is an end to be told now, so it is tried once more
    ward.failures = 0;
    start_successor(ward);
}

// Room -----------------------------------------------------------------------------------------------------------------

bool Keeper::prepare() {
    connections_.remove_if([](const Connection& connection) { return connection.closed; });
    make_room();
    end_if_idle();
    return false;
}

/// Every turn: what was closed in it is the event. At the limit nobody is accepted; who waits is, as soon as the reserve is
/// whole again and there is one more.
void Keeper::make_room() {
    const bool had_room = has_room_;
    has_room_ = reserve_.refill() && (had_room || Reserve::has_one_more());
    const int error = errno;
    if (had_room && !has_room_) log_.say("nobody new is accepted until descriptors are closed: " + os::error_text(error));
    if (!had_room && has_room_) {
        log_.say("there is room again");
        retry();
    }
    if (!has_room_ && error != EMFILE) retry_later();  // it is others who have them
    if (listener_watch_) listener_watch_->pause(!has_room_ || !may_accept_);
}

void Keeper::retry_later() {
    if (retry_timer_.armed()) return;
    retry_timer_.set(retry_pause_);
    retry_pause_ = std::min(retry_pause_ * 2, kLongestPause);
}

void Keeper::retry() {
    retry_timer_.clear();
    may_accept_ = true;
    std::vector<std::uint64_t> owed;
    for (const auto& [process, ward] : wards_) {
        if (ward.is_owed) owed.push_back(process);
    }
    if (owed.empty() && has_room_) retry_pause_ = kFirstPause;
    for (const auto process : owed) {
        if (Ward* ward = find_ward(process); ward != nullptr && ward->is_owed) start_successor(*ward);
    }
}

void Keeper::end_if_idle() {
    if (!was_needed_ || !has_room_ || !wards_.empty() || !connections_.empty()) return;
    accept();  // who connected in this moment is not turned away
    if (connections_.empty()) loop_.stop();
}

}  // namespace pp::keeper
