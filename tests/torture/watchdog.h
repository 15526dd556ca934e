#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "protocol/os/signal_fd.h"
#include "protocol/os/unique_fd.h"
#include "tests/support/installation.h"

namespace pp::torture {

/// Waits in the torture have no limit of their own. One that lasts for longer than anything here may take is told by what
/// it waited for, and ends the program: what should have come did not. So do SIGINT, SIGTERM and SIGHUP.
class Watchdog {
  public:
    /// Before other threads are there. The end of the program ends all that lives of this home, too, and leaves its files to
    /// be looked at, if something was violated.
    Watchdog(std::chrono::seconds limit, const test::Installation& installation);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    /// Something is waited for as long as this lives.
    class Wait {
      public:
        Wait(Watchdog& dog, std::string what);
        ~Wait();
        Wait(const Wait&) = delete;
        Wait& operator=(const Wait&) = delete;

      private:
        Watchdog& dog_;
        std::uint64_t id_;
    };

  private:
    using Clock = std::chrono::steady_clock;
    struct Waiting {
        std::string what;
        Clock::time_point until;
    };
    void watch();
    void look();
    [[nodiscard]] std::chrono::nanoseconds patience();

    std::chrono::seconds limit_;
    const test::Installation& installation_;
    os::SignalFd signals_;
    os::UniqueFd stop_;  ///< an eventfd
    std::mutex mutex_;
    std::map<std::uint64_t, Waiting> waits_;
    std::uint64_t next_id_ = 1;
    std::thread thread_;
};

}  // namespace pp::torture
