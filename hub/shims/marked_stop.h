#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "hub/event_loop.h"
#include "protocol/os/pid_fd.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// Ends what lives of a process whose page cannot be trusted, without its shim's help: all that carry its mark get the
/// signal, SIGKILL when the grace is over, and are looked for again whenever the last one known has ended.
class MarkedStop {
  public:
    struct Outcome {
        bool found = false;            ///< there was anything to end
        std::vector<pid_t> survivors;  ///< of SIGKILL
    };
    using Then = std::function<void(const Outcome&)>;

    MarkedStop(EventLoop& loop, const rundir::Home& home, std::uint64_t process)
        : loop_{loop}, home_{home}, process_{process}, limit_{loop, [this] { on_limit(); }} {}

    /// Begins, or joins a stop that is under way: the earlier end of the grace counts. `then` may destroy this.
    void ask(int signal, std::chrono::milliseconds grace, Then then);

  private:
    struct Member {
        os::PidFd process;
        std::unique_ptr<EventLoop::Watch> end;
    };
    void look();
    void on_end(pid_t pid);
    void on_limit();
    void finish();
    void send(const os::PidFd& process) const;

    EventLoop& loop_;
    const rundir::Home& home_;
    std::uint64_t process_;
    int signal_ = 0;
    bool killing_ = false;
    bool found_ = false;
    EventLoop::Clock::time_point grace_end_ = EventLoop::Clock::time_point::max();
    EventLoop::Timer limit_;
    std::map<pid_t, Member> members_;
    std::vector<Then> thens_;
};

}  // namespace pp::hub
