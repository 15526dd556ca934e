#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/rundir/event_log.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/shim_messages.h"

namespace pp::test {

/// Speaks the hub's end of the shim protocol, word by word as the test says.
class FakeHub {
  public:
    /// Listens and writes hub.epoch; shims that live are not kicked.
    explicit FakeHub(const rundir::Home& home);

    /// Sleeps until the shim of `process` has said Hello; answers Welcome from this event on.
    void welcome(std::uint64_t process, std::uint64_t from_event = 1);
    /// Sleeps until this event has come from the process; acknowledges all that come.
    rundir::Event wait_for(std::uint64_t process, rundir::EventKind kind, std::uint32_t run = 1);
    /// Sends a command with a new token, and sleeps until its Done.
    template <class Command>
    wire::Done ask(std::uint64_t process, Command command) {
        return wait_done(send(process, std::move(command)));
    }
    template <class Command>
    std::uint64_t send(std::uint64_t process, Command command) {
        command.token = ++last_token_;
        send_bytes(process, wire::encode(command));
        return command.token;
    }
    wire::Done wait_done(std::uint64_t token);
    /// Sends what is not answered.
    template <class Message>
    void tell(std::uint64_t process, const Message& message) {
        send_bytes(process, wire::encode(message));
    }
    /// Sleeps until the shim asks to end; then lets it.
    void release(std::uint64_t process);
    /// All events that came, in the order in which they came.
    [[nodiscard]] const std::vector<rundir::Event>& events() const { return events_; }
    void send_garbage(std::uint64_t process, const std::string& bytes) { send_bytes(process, bytes); }
    void watch(std::uint64_t process, const wire::Watch& watch) { send_bytes(process, wire::encode(watch)); }
    /// Sleeps until the shim has told of output; the tail it told.
    std::uint64_t wait_output(std::uint64_t process);
    /// Sends what has no token and no Done.
    template <class Message>
    void order(std::uint64_t process, const Message& message) {
        send_bytes(process, wire::encode(message));
    }
    /// Sleeps until the shim has answered: all that was sent before is done, or waits.
    void ping(std::uint64_t process);
    /// The Done of a command, unless it still waits for something when the shim has come as far as that.
    std::optional<wire::Done> find_done_before_pong(std::uint64_t process, std::uint64_t token);
    [[nodiscard]] std::uint64_t byes(std::uint64_t process) { return byes_[process]; }
    /// Connects to the shim's socket, which is a kick.
    void kick(std::uint64_t process);

  private:
    void send_bytes(std::uint64_t process, const std::string& bytes);
    void receive();
    void on_frame(const wire::Frame& frame);

    const rundir::Home& home_;
    wire::Context context_;
    wire::Channel channel_;
    std::map<std::uint64_t, std::string> peers_;
    std::map<std::string, std::uint64_t> processes_;
    std::map<std::uint64_t, std::uint64_t> byes_;
    std::map<std::uint64_t, wire::Done> dones_;
    std::map<std::uint64_t, std::uint64_t> tails_;
    std::vector<rundir::Event> events_;
    std::map<std::uint64_t, std::vector<rundir::Event>> events_of_;
    std::uint64_t last_token_ = 0;
    std::uint64_t last_pong_ = 0;
    std::uint64_t epoch_;
};

}  // namespace pp::test
