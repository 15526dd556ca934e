#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::shim {

/// The shim's line to the keeper: deposits everything whose closing the child could notice, and brings a new keeper into
/// being when the old one dies.
class KeeperLink {
  public:
    struct Held {
        wire::KeeperMessage what;
        os::UniqueFd fd;
    };
    struct Callbacks {
        std::function<void()> on_orphan_exited;  ///< the keeper has written how our main ended
        std::function<void()> on_new_keeper;     ///< deposit everything again
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

    /// Pid of the keeper at the other end; 0 if there is none.
    [[nodiscard]] pid_t keeper_pid() const { return keeper_pid_; }

  private:
    void connect();
    void start_watching();
    void attach();
    void on_readable();
    void flush();
    void send(wire::KeeperMessage message, int fd);
    void on_lost();

    os::Loop& loop_;
    const rundir::Home& home_;
    std::uint64_t process_;
    int page_fd_;
    Callbacks callbacks_;
    os::UniqueFd socket_;
    std::unique_ptr<os::Loop::Watch> watch_;
    pid_t keeper_pid_ = 0;
    struct Waiting {
        wire::KeeperMessage message;
        std::vector<os::UniqueFd> fds;
    };
    std::deque<Waiting> waiting_;  ///< for room in the socket: a stopped keeper must not stop us
};

}  // namespace pp::shim
