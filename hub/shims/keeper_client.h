#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "hub/event_loop.h"
#include "hub/log.h"
#include "hub/shims/patience.h"
#include "hub/worker.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/keeper_messages.h"

namespace pp::hub {

/// The hub's line to the keeper, which it starts when there is none and one is needed.
///
/// One that was asked and stays silent is first made to go on, if somebody has stopped it: nothing is lost by that. If that
/// does not help it is killed, and another one asked. It loses by that what it was the parent of; but as long as it hangs,
/// nothing is started and nothing that dies is succeeded.
class KeeperClient {
  public:
    enum class Gone { in_order, succeeded, given_up };
    struct Callbacks {
        std::function<void(std::uint64_t process, Gone how)> on_shim_gone;
        std::function<void()> on_lost;  ///< the keeper has died
    };
    struct Limits {
        std::chrono::milliseconds patience = kPatience;
        std::chrono::milliseconds answer = 2 * kPatience + std::chrono::seconds{5};  ///< from asking to a failure
    };

    KeeperClient(EventLoop& loop, Worker& worker, const rundir::Home& home, const Log& log,
                 Callbacks callbacks, Limits limits);

    /// Connects if a keeper lives; does not start one.
    void connect_if_there();
    /// Connects, and starts one if there is none.
    void ensure();

    /// Starts a shim for a process; `takeover`: for what a dead one left. `then` gets 0 or an errno
    /// (EALREADY: it has one; ETIMEDOUT: no keeper has answered in time), and is called in any case. What a
    /// keeper that died had been asked is asked of the next one, within the same time.
    void spawn(std::uint64_t process, bool takeover,
               std::function<void(int error, const std::string& problem)> then);

    /// A process was cleared: what is held for it is held for nobody.
    void forget(std::uint64_t process);

    /// Asks the keeper to go on as this program. `then` gets an empty text, or why it did not.
    void upgrade(const std::string& program, std::function<void(const std::string& problem)> then);

    /// For one that cannot: kills it and starts another.
    void replace(std::function<void(const std::string& problem)> then);

    /// 0: not connected.
    [[nodiscard]] int keeper_pid() const { return pid_; }
    /// Of the conversation that it speaks; 0: not known.
    [[nodiscard]] int keeper_protocol() const { return protocol_; }
    /// Of its program; empty: not known, or version 1, which does not say.
    [[nodiscard]] const std::string& keeper_version() const { return version_; }

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
    void on_message(const wire::KeeperMessage& message, const std::string& text);
    void on_status(const wire::KeeperMessage& status, const std::string& version);
    void on_refused(const wire::KeeperMessage& refusal);
    void on_closed();
    void on_hung();
    void ask_status();
    void send_waiting();
    void end_upgrade(const std::string& problem);
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
    Limits limits_;
    Patience patience_;
    int peer_pid_ = 0;             ///< as the socket says, before the keeper itself has
    bool was_made_to_go_on_ = false;
    std::function<void(const std::string&)> upgraded_;
    int replaced_pid_ = 0;  ///< of the one that was killed for it: another one that answers is what was wanted
    bool starting_ = false;
    int failed_tries_ = 0;  ///< keepers that said they were ready and could not be connected to, in a row
    EventLoop::Timer try_again_;
    int pid_ = 0;
    int protocol_ = 0;
    std::string version_;
};

}  // namespace pp::hub
