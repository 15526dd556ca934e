#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "hub/config/settings.h"
#include "hub/event_loop.h"
#include "hub/hub_status.h"
#include "hub/log.h"
#include "hub/operations/caller.h"
#include "hub/sandbox.h"
#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// The hub: builds its parts in the order in which they need each other, takes up what lives, and ends in
/// order. The caller holds the hub's lock.
class Hub {
  public:
    struct Setup {
        const rundir::Home& home;
        const Log& log;
        Settings settings;
        rundir::Environment environment;  ///< this program's
        std::int64_t nofile_soft = 0;     ///< limits of descriptors that were found, for children
        std::int64_t nofile_hard = 0;
        std::uint32_t file_mode_mask = 022;  ///< the same of the umask
        std::function<void()> on_ready;      ///< it listens, and run/hub.epoch says so
    };
    /// `signals` ends the hub when it becomes readable.
    Hub(EventLoop& loop, os::SignalFd& signals, Setup setup);
    ~Hub();

  private:
    struct Parts;

    void go_on(std::uint64_t highest_process);
    void listen_http();
    void write_epoch();
    void look_for_names();
    void end();
    [[nodiscard]] HubStatus status(const Caller& caller) const;

    EventLoop& loop_;
    os::SignalFd& signals_;
    Setup setup_;
    std::uint64_t epoch_;
    std::int64_t started_at_ns_;
    Sandbox sandbox_;
    int port_ = 0;  ///< 0: no TCP
    std::string port_problem_;
    os::UniqueFd hold_;
    std::unique_ptr<Parts> parts_;
    EventLoop::Watch signal_watch_;
    EventLoop::Timer history_patience_;
    EventLoop::Timer farewell_limit_;
    bool going_on_ = false;
    bool ending_ = false;
    bool is_renewed_ = false;  ///< another hub was started in our place
};

}  // namespace pp::hub
