#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

enum class ShutdownProcesses { unsaid, stop, leave };

struct ShutdownResult {
    std::vector<std::uint64_t> stopped;
    std::vector<std::uint64_t> left;
    std::vector<std::string> problems;  ///< what could not be stopped, and why
};

/// Ends the hub: leaving all processes alive, or when all have been stopped. With live ones it must be said
/// which. The keeper ends by itself when it has nothing left to keep.
Call shutdown(Context& context, ShutdownProcesses processes, OnResult<ShutdownResult> then);

}  // namespace pp::hub
