#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "hub/operations/context.h"

namespace pp::hub {

enum class WaitFor { none, settled, exit };

/// Waits for a run to settle (150 ms of quiet after its first output) or to end. Its end and its first output are told
/// by its shim, so that a silent run wakes nobody. From then on there is one deadline, 150 ms ahead: at it the page says
/// whether the run has written since, and if so it is set once more. Dropping it ends the wait.
class RunWait : public std::enable_shared_from_this<RunWait> {
  public:
    struct Outcome {
        bool ended = false;      ///< the run has ended, and all that its main wrote is in the log
        bool timed_out = false;  ///< what was waited for did not come
    };
    using Then = std::function<void(Outcome)>;

    /// Call begin() after that.
    RunWait(Context& context, std::uint64_t process, std::uint32_t run, WaitFor what,
            std::chrono::milliseconds limit, Then then);
    void begin();

  private:
    void look();
    void on_first_output();
    void on_deadline();
    void end(Outcome outcome);
    [[nodiscard]] bool has_ended();

    Context& context_;
    std::uint64_t process_;
    std::uint32_t run_;
    WaitFor what_;
    std::chrono::milliseconds limit_;
    Then then_;
    std::uint64_t seen_ = 0;
    Subscription changes_;
    Subscription output_;
    EventLoop::Timer limit_timer_;
    EventLoop::Timer quiet_timer_;
};

}  // namespace pp::hub
