#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "hub/event_loop.h"
#include "hub/log.h"
#include "hub/worker.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::hub {

/// The hub's line to the keeper, which it starts when there is none and one is needed.
class KeeperClient {
  public:
    enum class Gone { in_order, succeeded, given_up };
    struct Callbacks {
        std::function<void(std::uint64_t process, Gone how)> on_shim_gone;
        std::function<void()> on_lost;  ///< the keeper has died
    };

    KeeperClient(EventLoop& loop, Worker& worker, const rundir::Home& home, const Log& log,
                 Callbacks callbacks, std::chrono::milliseconds answer_limit = std::chrono::seconds{10});

    /// Connects if a keeper lives; does not start one.
    void connect_if_there();
    /// Connects, and starts one if there is none.
    void ensure();

    /// Starts a shim for a process; `takeover`: for what a dead one left. `then` gets 0 or an errno
    /// (EALREADY: it has one; ETIMEDOUT: no keeper has answered in time), and is called in any case. What a
    /// keeper that died had been asked is asked of the next one, within the same time.
    void spawn(std::uint64_t process, bool takeover,
               std::function<void(int error, const std::string& problem)> then);

    /// 0: not connected.
    [[nodiscard]] int keeper_pid() const { return pid_; }

  private:
    struct Asked {
        wire::KeeperMessage message;
        std::function<void(int, const std::string&)> then;
        bool sent = false;
        std::unique_ptr<EventLoop::Timer> limit;
    };

    bool try_connect();
    void start_keeper();
    void on_started(const std::string& problem);
    void on_readable();
    void on_message(const wire::KeeperMessage& message);
    void on_closed();
    void send_waiting();
    void fail(std::uint64_t process, int error, const std::string& problem);
    void fail_all(const std::string& problem);
    bool send(const wire::KeeperMessage& message);

    EventLoop& loop_;
    Worker& worker_;
    rundir::Home home_;
    const Log& log_;
    Callbacks callbacks_;
    os::UniqueFd socket_;
    std::unique_ptr<EventLoop::Watch> readable_;
    std::unique_ptr<EventLoop::Watch> writable_;
    std::map<std::uint64_t, Asked> asked_;  ///< by process; what is not sent waits for room in the socket
    std::chrono::milliseconds answer_limit_;
    bool starting_ = false;
    int failed_tries_ = 0;  ///< keepers that said they were ready and could not be connected to, in a row
    EventLoop::Timer try_again_;
    int pid_ = 0;
};

}  // namespace pp::hub
