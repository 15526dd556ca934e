#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::shim {

/// The shim's line to the keeper: deposits everything whose closing the child could notice, and brings a new keeper into
/// being when the old one dies. The loop never waits for one: a keeper that is started hangs up its pipe when it is ready
/// (one that lost the race waits for the winner first), and only what nobody tells of is tried again by the clock: a system
/// that refuses, a keeper that has no room.
class KeeperLink {
  public:
    struct Held {
        wire::KeeperMessage what;
        os::UniqueFd fd;
    };
    struct Callbacks {
        std::function<void()> on_orphan_exited;  ///< the keeper has written how our main ended
        std::function<void()> on_new_keeper;     ///< deposit everything again
        std::function<void(const std::string&)> on_trouble;  ///< what goes wrong, for the log
    };

    /// `birth` is the socket that the keeper gave us, or none: then it is looked for.
    KeeperLink(os::Loop& loop, const rundir::Home& home, std::uint64_t process, int page_fd, os::UniqueFd birth,
               Callbacks callbacks);
    ~KeeperLink();

    /// For a successor: waits (at most some seconds) for what is held for us.
    std::vector<Held> claim();

    void deposit(wire::HeldKind kind, std::uint32_t run, ring::Stream stream, int fd, pid_t pid = 0,
                 std::uint64_t start_time = 0);
    void withdraw(wire::HeldKind kind, std::uint32_t run, ring::Stream stream);
    void say_goodbye();

    /// Looks for a keeper now, if there is none.
    void ensure();
    /// The state page is another file from now on.
    void use_page(int page_fd);

    /// A keeper lives, and all that it should have is with it, or on its way.
    [[nodiscard]] bool has_everything() const {
        return socket_ && is_ready_ && waiting_.empty() && !is_missing_something_;
    }

    /// Pid of the keeper at the other end; 0 if there is none.
    [[nodiscard]] pid_t keeper_pid() const { return keeper_pid_; }

  private:
    struct Waiting {
        wire::KeeperMessage message;
        os::UniqueFd fd;  ///< or none
    };

    bool connect();
    void start_keeper();
    void on_started();
    void use(os::UniqueFd socket);
    void drop();
    bool attach();
    void on_readable();
    void on_message(const wire::KeeperMessage& message);
    void on_lost();
    void send(const wire::KeeperMessage& message, int fd);
    bool transmit(const wire::KeeperMessage& message, int fd);
    void flush();
    void miss(const std::string& why);
    void retry_later();
    void retry();

    os::Loop& loop_;
    const rundir::Home& home_;
    std::uint64_t process_;
    int page_fd_;
    Callbacks callbacks_;
    os::UniqueFd socket_;
    std::unique_ptr<os::Loop::Watch> watch_;
    pid_t keeper_pid_ = 0;
    bool is_ready_ = false;              ///< the keeper has answered
    bool is_missing_something_ = false;  ///< a deposit did not come through
    bool said_missing_ = false;          ///< of this keeper, in the log
    bool is_blocked_ = false;            ///< the system has too many descriptors under way
    std::deque<Waiting> waiting_;        ///< for room in the socket: a stopped keeper must not stop us
    os::UniqueFd starting_;              ///< hangs up when the keeper that we started is ready, or has failed
    std::unique_ptr<os::Loop::Watch> starting_watch_;
    std::chrono::milliseconds retry_pause_;
    os::Loop::Timer retry_timer_;
};

}  // namespace pp::shim
