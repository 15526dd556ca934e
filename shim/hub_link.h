#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "protocol/os/loop.h"
#include "protocol/os/pid_fd.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/shim_messages.h"

namespace pp::shim {

/// The shim's line to the hub, if there is one. Nothing that a shim does needs it.
///
/// A dead hub is polled by nobody: its pidfd tells its death, and a new one kicks (run/p12.sock). Events are sent again
/// from the first that the hub says it lacks.
class HubLink {
  public:
    /// What Hello says of us. Another protocol than our own is for tests of how hubs get on with older shims: what is of a
    /// later one is then not understood.
    struct Speaks {
        std::uint32_t protocol = wire::kShimProtocol;
        std::string version = PP_VERSION;
    };
    struct Callbacks {
        std::function<void(const wire::StartRun&)> on_start;
        std::function<void(const wire::Stop&)> on_stop;
        std::function<void(const wire::Signal&)> on_signal;
        std::function<void(wire::Input)> on_input;
        std::function<void(const wire::CancelInput&)> on_cancel_input;
        std::function<void(const wire::Resize&)> on_resize;
        std::function<void()> on_hand_over;
        std::function<void()> on_release;  ///< the hub has nothing more for us
        std::function<void()> on_lost;     ///< the hub it was talked with has gone, and what it was told or asked with it
    };

    HubLink(os::Loop& loop, const rundir::Home& home, std::uint64_t process, const rundir::EventLog& events,
            const ring::StatePage& page, Speaks speaks, Callbacks callbacks);
    ~HubLink();

    /// Looks for the listening hub and says Hello, unless it is the one that we speak to already.
    void look_for_hub();
    /// The same, and says Hello again to the one that we speak to already: something of ours has changed.
    void greet();
    /// Drains the channel, up to a budget; true if more waits. To be called before every sleep.
    bool drain();

    [[nodiscard]] bool connected() const { return channel_ != nullptr; }
    /// A hub lives and has yet to say that it has all events.
    [[nodiscard]] bool owes_acknowledgement() const;
    void send_event(const rundir::Event& event);
    void send_done(const wire::Done& done);
    void say_bye(bool hand_over);
    /// The tail has moved: tells the hub if it waits for that.
    void on_output(std::uint64_t tail);

  private:
    void on_frame(const std::string& bytes);
    void on_welcome(const wire::Welcome& welcome);
    void say_hello();
    void drop();
    template <class Message>
    void send(const Message& message);

    os::Loop& loop_;
    const rundir::Home& home_;
    std::uint64_t process_;
    const rundir::EventLog& events_;
    const ring::StatePage& page_;
    Speaks speaks_;
    Callbacks callbacks_;
    std::unique_ptr<wire::Context> context_;
    std::unique_ptr<wire::Channel> channel_;
    std::unique_ptr<os::Loop::Watch> channel_watch_;
    std::optional<os::PidFd> hub_;
    std::unique_ptr<os::Loop::Watch> hub_watch_;
    std::uint64_t epoch_ = 0;
    std::uint64_t acknowledged_ = 0;
    bool welcomed_ = false;
    std::optional<std::uint64_t> watched_cursor_;
};

}  // namespace pp::shim
