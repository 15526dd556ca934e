#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::keeper {

/// Parent and subreaper of the shims. Holds duplicates of everything whose closing a child could notice, starts a
/// successor at once when a shim dies without saying goodbye, and is the parent of whatever a dead shim leaves behind: it
/// writes how that ended into the state page before it reaps.
///
/// It knows nothing of commands, output or the hub's mind; it does what its socket says (wire/keeper_messages.h). One
/// thread. A peer's nonsense closes that peer's connection and nothing else.
class Keeper {
  public:
    /// Listens. The caller holds run/keeper.lock. Throws std::system_error.
    explicit Keeper(const rundir::Home& home);

    /// Until nobody needs a keeper any more: no shim, nothing held, no connection.
    void run() { loop_.run(); }

  private:
    /// A descriptor that a shim deposited.
    struct Held {
        wire::KeeperMessage what;
        os::UniqueFd fd;
    };

    struct Connection {
        os::UniqueFd socket;
        std::unique_ptr<os::Loop::Watch> watch;
        std::uint64_t process = 0;  ///< of the shim at the other end; 0: a hub
        bool closed = false;
    };

    /// One process, from its spawn to its shim's goodbye.
    struct Ward {
        std::uint64_t process = 0;
        os::PidFd shim;
        std::unique_ptr<os::Loop::Watch> shim_watch;
        bool is_child = false;  ///< the shim is ours; if not, an earlier keeper's, and its exit status is not ours to see
        Connection* connection = nullptr;
        ring::StatePage page;
        std::vector<Held> held;
        bool said_goodbye = false;
        int failures = 0;            ///< successors that ended before they came up, in a row
        bool spawn_wanted = false;   ///< asked for while the old shim was still ending
        bool wanted_takeover = false;
        Connection* spawn_asker = nullptr;
    };

    void accept();
    Connection& adopt_connection(os::UniqueFd socket);
    void on_message(Connection& connection);
    void handle(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void close(Connection& connection);

    void on_spawn(Connection& asker, const wire::KeeperMessage& message);
    void on_attach(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void on_deposit(Connection& connection, const wire::KeeperMessage& message, std::vector<os::UniqueFd> fds);
    void on_withdraw(Connection& connection, const wire::KeeperMessage& message);

    bool start_shim(Ward& ward, bool takeover, int& error);
    void watch_shim(Ward& ward);
    void on_shim_death(std::uint64_t process);
    void on_child_signal();
    void record_orphan(pid_t pid);
    void tell_hubs(const wire::KeeperMessage& message);
    void answer(Connection& connection, wire::KeeperMessage message);
    void end_if_idle();
    Ward* find_ward(std::uint64_t process);

    const rundir::Home& home_;
    os::Loop loop_;
    os::SignalFd signals_;
    os::UniqueFd listener_;
    os::UniqueFd hold_;
    os::Loop::Watch signal_watch_;
    std::unique_ptr<os::Loop::Watch> listener_watch_;
    std::list<Connection> connections_;
    std::map<std::uint64_t, Ward> wards_;
    bool had_connection_ = false;
    os::Loop::Timer first_connection_timer_;  ///< whoever started us may have died before it came
};

}  // namespace pp::keeper
