#pragma once

#include <string>

#include "protocol/os/ofd_lock.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/channel.h"
#include "protocol/wire/control_messages.h"

namespace pp::test {

/// A hub that answers what the test says: the lock, the epoch and the control socket, in this program.
class ControlHub {
  public:
    explicit ControlHub(const rundir::Home& home);

    /// Sleeps until somebody asks.
    wire::Request next();
    /// Answers the request that came last.
    void reply(const std::string& status, const std::string& result, const std::string& text = {});

  private:
    os::OfdLock lock_;
    wire::Context context_;
    wire::Channel channel_;
    std::string peer_;
    std::uint64_t token_ = 0;
};

}  // namespace pp::test
