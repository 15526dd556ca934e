#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hub/event_loop.h"
#include "hub/shims/fleet.h"

namespace pp::hub {

/// A shim that was asked to make room for a successor of another build.
struct Fleet::Succession {
    Upgrade upgrade;
    OnUpgraded then;
    std::unique_ptr<EventLoop::Timer> limit;
};

}  // namespace pp::hub
