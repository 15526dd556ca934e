// How a keeper becomes another program without anybody noticing: execve keeps pid, children and descriptors, and what we know
// goes along in a memfd. As a new process it would be the parent of none of the orphans that it has to reap.

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <functional>
#include <utility>

#include "protocol/os/c_strings.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "shim/keeper/keeper.h"

namespace pp::keeper {
namespace {

using std::chrono::milliseconds;
using wire::KeeperMessage;
using wire::KeeperVerb;

void visit_descriptors(const HandedState& state, const std::function<void(int)>& visit) {
    const auto present = [&](int fd) {
        if (fd >= 0) visit(fd);
    };
    present(state.lock_fd);
    present(state.listener_fd);
    for (const auto& connection : state.connections) present(connection.fd);
    for (const auto& ward : state.wards) {
        present(ward.shim_fd);
        present(ward.page_fd);
    }
    for (const auto& held : state.held) present(held.fd);
}

void close_at_exec(const HandedState& state, bool close) {
    visit_descriptors(state, [&](int fd) { ::fcntl(fd, F_SETFD, close ? FD_CLOEXEC : 0); });
}

std::string path_behind(const os::UniqueFd& fd) {
    return os::find_link("/proc/self/fd/" + std::to_string(fd.get())).value_or("");
}

/// None, if it has been damaged since it was sent to us.
ring::PageFile page_behind(os::UniqueFd fd) {
    try {
        return ring::PageFile{std::move(fd)};
    } catch (const std::exception&) {
        return {};
    }
}

}  // namespace

/// Returns only if it could not be done; nothing has changed then.
void Keeper::on_upgrade(Connection& connection, const KeeperMessage& message, std::vector<os::UniqueFd> fds) {
    KeeperMessage refusal = message;
    refusal.verb = KeeperVerb::refused;
    refusal.value = EMFILE;
    if (fds.size() == 1) {
        const auto program = path_behind(fds[0]);
        log_.say("pp-keeper " PP_VERSION " makes room for " + program);
        fds.clear();
        refusal.value = become(program, hand_over(connection));
        log_.say("pp-keeper " PP_VERSION " goes on: " + program + ": " + os::error_text(refusal.value));
    }
    answer(connection, refusal);
}

HandedState Keeper::hand_over(const Connection& asker) const {
    HandedState state;
    state.lock_fd = lock_.fd();
    state.listener_fd = listener_.get();
    std::map<const Connection*, std::int32_t> places;
    for (const auto& connection : connections_) {
        if (connection.closed) continue;
        const auto place = static_cast<std::int32_t>(state.connections.size());
        places[&connection] = place;
        state.connections.push_back({connection.process, connection.socket.get(), connection.is_birth ? 1U : 0U});
        for (const auto& bytes : connection.waiting) {
            HandedState::Waiting waiting;
            waiting.connection = place;
            waiting.size = static_cast<std::uint32_t>(bytes.copy(waiting.bytes, sizeof waiting.bytes));
            state.waiting.push_back(waiting);
        }
    }
    const auto place_of = [&](const Connection* connection) {
        const auto found = places.find(connection);
        return found == places.end() ? HandedState::kNone : found->second;
    };
    state.asker = place_of(&asker);
    for (const auto& [process, ward] : wards_) {
        HandedState::Ward handed;
        handed.process = process;
        handed.shim_pid = ward.shim.pid();
        handed.shim_fd = ward.shim ? ward.shim.get() : HandedState::kNone;
        handed.page_fd = ward.page ? ward.page.fd() : HandedState::kNone;
        handed.connection = place_of(ward.connection);
        handed.spawn_asker = place_of(ward.spawn_asker);
        handed.failures = static_cast<std::uint32_t>(ward.failures);
        handed.flags = (ward.said_goodbye ? HandedState::kSaidGoodbye : 0U) | (ward.is_owed ? HandedState::kIsOwed : 0U) |
                       (ward.spawn_wanted ? HandedState::kSpawnWanted : 0U) |
                       (ward.wanted_takeover ? HandedState::kWantedTakeover : 0U);
        const auto age = std::chrono::duration_cast<milliseconds>(loop_.now() - ward.shim_since);
        handed.shim_age_ms = static_cast<std::uint32_t>(std::clamp<milliseconds::rep>(age.count(), 0, 3'600'000));
        ward.last_words.copy(handed.last_words, sizeof handed.last_words - 1);
        state.wards.push_back(handed);
        for (const auto& held : ward.held) state.held.push_back({process, held.what, held.fd.get(), 0});
    }
    return state;
}

/// The errno, if this program goes on.
int Keeper::become(const std::string& program, const HandedState& state) {
    const os::UniqueFd memory{::memfd_create("pp-keeper", MFD_CLOEXEC)};
    const auto bytes = encode(state);
    if (!memory) return errno;
    if (::write(memory.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return ENOSPC;
    const os::CStrings argv{program, {"--resume", std::to_string(memory.get())}};
    close_at_exec(state, false);
    ::fcntl(memory.get(), F_SETFD, 0);
    ::execve(program.c_str(), argv.get(), environ);
    const int error = errno;
    close_at_exec(state, true);
    return error;
}

/// Whoever died meanwhile is found by the pidfds and by waitid, and what was sent waits in the sockets.
void Keeper::take_over(const HandedState& state) {
    close_at_exec(state, true);
    was_needed_ = true;
    first_message_timer_.clear();
    std::vector<Connection*> places;
    for (const auto& handed : state.connections) {
        Connection& connection = adopt_connection(os::UniqueFd{handed.fd});
        connection.process = handed.process;
        connection.is_birth = handed.is_birth != 0;
        places.push_back(&connection);
    }
    const auto at = [&](std::int32_t place) {
        return place >= 0 && static_cast<std::size_t>(place) < places.size() ? places[static_cast<std::size_t>(place)] : nullptr;
    };
    for (const auto& waiting : state.waiting) {
        Connection* connection = at(waiting.connection);
        if (connection == nullptr) continue;
        connection->waiting.emplace_back(waiting.bytes, waiting.size);
        connection->watch->set_events(POLLIN | POLLOUT);
    }
    for (const auto& handed : state.wards) {
        Ward& ward = wards_[handed.process];
        ward.process = handed.process;
        ward.connection = at(handed.connection);
        ward.spawn_asker = at(handed.spawn_asker);
        ward.failures = static_cast<int>(handed.failures);
        ward.said_goodbye = (handed.flags & HandedState::kSaidGoodbye) != 0;
        ward.is_owed = (handed.flags & HandedState::kIsOwed) != 0;
        ward.spawn_wanted = (handed.flags & HandedState::kSpawnWanted) != 0;
        ward.wanted_takeover = (handed.flags & HandedState::kWantedTakeover) != 0;
        ward.last_words = handed.last_words;
        if (handed.page_fd >= 0) ward.page = page_behind(os::UniqueFd{handed.page_fd});
        if (handed.shim_fd >= 0) {
            ward.shim = os::PidFd{os::UniqueFd{handed.shim_fd}, handed.shim_pid};
            watch_shim(ward);
            ward.shim_since -= milliseconds{handed.shim_age_ms};
        }
        if (ward.is_owed) retry_later();
    }
    for (const auto& handed : state.held) wards_[handed.process].held.push_back({handed.what, os::UniqueFd{handed.fd}});
    log_.say("pp-keeper " PP_VERSION " goes on with " + std::to_string(wards_.size()) + " processes");
    on_child_signal();
    if (Connection* asker = at(state.asker)) on_status(*asker, true);
}

/// The run directory was wiped, or a part of it. Whoever came since may have started another keeper: that one is left in peace,
/// and we look after our own until they have gone.
void Keeper::restore_names() {
    try {
        home_.prepare();
        if (!lock_.is_at(home_.keeper_lock())) {
            auto lock = os::OfdLock::try_take(home_.keeper_lock());
            if (!lock) return log_.say("another keeper listens; what is kept here stays here");
            lock_ = std::move(*lock);
        }
        hold_ = home_.hold();
        auto listener = os::listen_seqpacket(home_.keeper_socket());
        listener_watch_.reset();
        listener_ = std::move(listener);
        listener_watch_.emplace(loop_, listener_.get(), POLLIN, [this](short) { accept(); });
        log_.say("listens again in " + home_.run());
    } catch (const std::exception& error) {
        log_.say(std::string{"its names could not be restored: "} + error.what());
    }
}

}  // namespace pp::keeper
