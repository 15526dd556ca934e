#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/hub_client.h"
#include "protocol/os/loop.h"

namespace pp::cli {

/// Passes our standard input on to a process, piece by piece: the next is read when the last was taken. An
/// input that the child does not read fills its pipe, then the answer waits, and so do we.
class StdinPump {
  public:
    struct Owner {
        std::function<void()> on_end;                   ///< all was passed on, the end too
        std::function<void(const Answer&)> on_refused;  ///< the process takes no more
    };
    StdinPump(os::Loop& loop, HubClient& hub, std::string process, Owner owner);

    /// While a key is asked for, stdin is not the child's.
    void pause(bool paused);

  private:
    void on_readable();
    void send();
    void on_answer(const Answer& answer, std::size_t sent);
    void settle();

    HubClient& hub_;
    std::string process_;
    Owner owner_;
    std::string pending_;
    bool at_end_ = false;
    bool asking_ = false;
    bool paused_ = false;
    os::Loop::Watch watch_;
};

/// How many bytes at the front of `bytes` are whole characters of valid UTF-8, and whether what follows could
/// become one by further bytes (pure).
struct WholeText {
    std::size_t size = 0;
    bool unfinished = false;
};
WholeText whole_text(std::string_view bytes);

}  // namespace pp::cli
