#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/page_file.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"
#include "shim/keeper/handed_state.h"
#include "shim/keeper/log.h"
#include "shim/keeper/reserve.h"

namespace pp::keeper {

/// Parent and subreaper of the shims. Holds duplicates of everything whose closing a child could notice, starts a
/// successor at once when a shim dies without saying goodbye, and is the parent of whatever a dead shim leaves behind: it
/// writes how that ended into the state page before it reaps.
///
/// It knows nothing of commands, output or the hub's mind; it does what its socket says (wire/keeper_messages.h). One
/// thread. A peer's nonsense closes that peer's connection and nothing else; so does nothing that the system refuses: at
/// its limit of descriptors it accepts nobody until some are closed, and has enough set aside for successors.
class Keeper {
  public:
    /// Listens. Throws std::system_error.
    Keeper(const rundir::Home& home, Log& log, os::OfdLock lock);
    /// Goes on where the program stopped in whose place we were executed.
    Keeper(const rundir::Home& home, Log& log, const HandedState& state);

    /// Until nobody needs a keeper any more: no shim, nothing held, no connection.
    void run() { loop_.run(); }
    /// The same, a turn at a time.
    void turn() { loop_.turn(); }
    [[nodiscard]] bool ended() const { return loop_.stopped(); }

  private:
    /// A descriptor that a shim deposited.
    struct Held {
        wire::KeeperMessage what;
        os::UniqueFd fd;
    };

    struct Connection {
        os::UniqueFd socket;
        std::unique_ptr<os::Loop::Watch> watch;
        std::uint64_t process = 0;               ///< of the shim at the other end; 0: a hub
        bool is_birth = false;                   ///< of a shim of ours that has not attached yet
        bool closed = false;
        std::list<std::string> waiting;  ///< for room in the socket: a peer that is stopped must not stop us. (An empty deque has 576 bytes)
    };

    /// One process, from its spawn to its shim's goodbye.
    struct Ward {
        std::uint64_t process = 0;
        os::PidFd shim;
        std::unique_ptr<os::Loop::Watch> shim_watch;
        os::Loop::TimePoint shim_since;
        Connection* connection = nullptr;
        ring::PageFile page;
        std::vector<Held> held;
        bool said_goodbye = false;
        bool has_attached = false;  ///< the shim that lives, or lived last
        int failures = 0;           ///< successors that ended before they came up, in a row
        std::string last_words;     ///< why the last of them did not
        bool is_owed = false;       ///< a successor could not be started, and is tried again
        bool spawn_wanted = false;  ///< asked for while the old shim was still ending
        bool wanted_takeover = false;
        Connection* spawn_asker = nullptr;
    };

    Keeper(const rundir::Home& home, Log& log, os::OfdLock lock, os::UniqueFd listener);
    void accept();
    Connection& adopt_connection(os::UniqueFd socket);
    void on_message(Connection& connection);
    void handle(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void answer(Connection& connection, const wire::KeeperMessage& message, std::string_view text = {});
    void flush(Connection& connection);
    void tell_hubs(const wire::KeeperMessage& message);
    void close(Connection& connection);

    void on_spawn(Connection& asker, const wire::KeeperMessage& message);
    void on_attach(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void on_deposit(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void on_withdraw(Connection& connection, const wire::KeeperMessage& message);
    void on_goodbye(Connection& connection);
    void on_status(Connection& connection, bool is_upgraded = false);
    void on_forget(const wire::KeeperMessage& message);
    void on_failed(const Connection& connection, const std::string& why);

    void on_upgrade(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    HandedState hand_over(const Connection& asker) const;
    int become(const std::string& program, const HandedState& state);
    void take_over(const HandedState& state);
    void restore_names();

    int start(Ward& ward, bool takeover);
    void watch_shim(Ward& ward);
    void on_shim_death(std::uint64_t process);
    void on_shim_end(Ward& ward);
    void start_successor(Ward& ward);
    void restore_page(const Ward& ward);
    void give_up(Ward& ward);
    void forget_if_empty(std::uint64_t process);
    void on_child_signal();
    void record_orphan(pid_t pid);

    bool prepare();
    void make_room();
    void retry_later();
    void retry();
    void end_if_idle();
    Ward* find_ward(std::uint64_t process);
    Ward* find_ward(const Connection& connection);
    void say(std::uint64_t process, const std::string& text);

    rundir::Home home_;
    Log& log_;
    os::OfdLock lock_;
    os::Loop loop_;
    os::SignalFd signals_;
    os::UniqueFd listener_;
    os::UniqueFd hold_;
    Reserve reserve_;
    os::Loop::Watch signal_watch_;
    std::optional<os::Loop::Watch> listener_watch_;
    std::list<Connection> connections_;
    std::map<std::uint64_t, Ward> wards_;
    bool was_needed_ = false;  ///< somebody has said something
    bool has_room_ = true;     ///< the reserve is whole
    bool may_accept_ = true;   ///< the last accept did not fail
    std::chrono::milliseconds retry_pause_;
    os::Loop::Timer retry_timer_;
    os::Loop::Timer first_message_timer_;  ///< whoever started us may have died before it came
};

}  // namespace pp::keeper
