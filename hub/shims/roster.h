#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "hub/event_loop.h"
#include "hub/log.h"
#include "hub/shims/patience.h"
#include "hub/shims/subscription.h"
#include "protocol/os/pid_fd.h"
#include "protocol/rundir/event_log.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/shim_messages.h"

namespace pp::hub {

/// Who of the shims is connected, and what was asked of them. Owns run/shims.sock.
///
/// A command waits for its shim to say Hello if it is not there, is sent again to a successor if that can do
/// no harm, and ends with one Answer in any case.
class Roster {
  public:
    struct Callbacks {
        std::function<std::uint64_t(std::uint64_t process)>
            last_event;  ///< highest event number that the hub has
        std::function<void(std::uint64_t process)> on_hello;
        std::function<void(std::uint64_t process, const rundir::Event&)> on_event;
        std::function<void(std::uint64_t process)> on_death;  ///< the shim has ended, in order or not
        std::function<void(std::uint64_t process)> on_hung;   ///< it was asked, and has been silent for too long
    };

    Roster(EventLoop& loop, const Log& log, const std::string& socket_path, wire::Context& context,
           std::uint64_t epoch, Callbacks callbacks, std::chrono::milliseconds patience = kPatience);
    ~Roster();

    using Command = std::variant<wire::StartRun, wire::Stop, wire::Signal, wire::Input, wire::Resize>;
    struct Answer {
        enum class Kind {
            done,
            refused,   ///< by the shim: `text`
            lost,      ///< the shim died with it; whether it was done is not known
            no_answer  ///< in the time given, or there is nobody to ask: `text`
        };
        Kind kind = Kind::done;
        std::string text;
        std::uint64_t count = 0;
        std::string detail;
    };
    using OnAnswer = std::function<void(const Answer&)>;

    /// The token is filled in. Of Inputs to a process one is under way at a time; one that finds no room within the limit is
    /// taken back, and done with a count of 0.
    void send(std::uint64_t process, Command command, std::chrono::milliseconds limit, OnAnswer on_answer);
    /// Something waits for an answer of its shim.
    [[nodiscard]] bool is_asked(std::uint64_t process) const;
    /// There will be no shim to answer what was asked.
    void give_up(std::uint64_t process, const std::string& why);

    /// Calls once, as soon as the process's output goes beyond this cursor.
    Subscription on_output(std::uint64_t process, std::uint64_t cursor, std::function<void()> callback);

    void acknowledge(std::uint64_t process, std::uint64_t number);

    /// Asks a connected shim whether it is there. Commands do so by themselves.
    void ping(std::uint64_t process);
    /// Reads all that has come.
    void read_all();
    /// For how long a shim that was asked has been silent.
    [[nodiscard]] std::chrono::milliseconds silent_for(std::uint64_t process) const;
    /// Asks it to make room for a successor. False if it does not know how to, or is not there.
    bool hand_over(std::uint64_t process);

    enum class Presence {
        absent,
        connected,
        leaving,  ///< told that it may end; a new run needs a new shim
        newer     ///< speaks a later protocol: shown, left running, not commanded
    };
    [[nodiscard]] Presence presence(std::uint64_t process) const;
    [[nodiscard]] int shim_pid(std::uint64_t process) const;
    /// Of its program, as it says; empty if it is not there.
    [[nodiscard]] std::string shim_version(std::uint64_t process) const;
    [[nodiscard]] std::set<int> shim_pids() const;
    [[nodiscard]] std::vector<std::uint64_t> processes() const;
    [[nodiscard]] std::size_t size() const { return shims_.size(); }

  private:
    struct Shim;
    struct Pending;
    struct Watcher;

    /// True if there was anything: what came of it may have been sent by another socket, whose wake-up that
    /// swallows.
    bool drain();
    void on_frame(const wire::Frame& frame);
    void on_hello(const std::string& peer, const wire::Hello& hello);
    void welcome(const Shim& shim);
    void on_done(std::uint64_t process, const wire::Done& done);
    void on_output_message(std::uint64_t process, std::uint64_t tail);
    void on_silence(std::uint64_t process);
    void on_bye(Shim& shim, bool hands_over);
    void on_shim_ended(std::uint64_t process, int pid);
    static std::string why_not(const Shim& shim, const Command& command);
    void expect_life(Shim& shim);
    void transmit(Pending& pending);
    [[nodiscard]] bool has_input_under_way(std::uint64_t process) const;
    void send_next_input(std::uint64_t process);
    void on_limit(std::uint64_t token);
    void finish(std::uint64_t token, const Answer& answer);
    void arm_watch(std::uint64_t process);
    template <class Message>
    bool say(const Shim& shim, const Message& message);

    EventLoop& loop_;
    const Log& log_;
    std::uint64_t epoch_;
    Callbacks callbacks_;
    std::chrono::milliseconds patience_;
    wire::Channel channel_;
    EventLoop::Watch watch_;
    std::map<std::uint64_t, std::unique_ptr<Shim>> shims_;
    std::map<std::string, std::uint64_t> processes_;                      ///< by peer
    std::map<std::uint64_t, std::unique_ptr<Pending>> pending_;           ///< by token
    std::map<std::uint64_t, std::map<std::uint64_t, Watcher>> watchers_;  ///< by process and id
    std::uint64_t next_token_ = 1;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace pp::hub
