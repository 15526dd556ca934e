#pragma once

#include <cstdint>

#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

struct ResizeArguments {
    Target target;
    std::uint32_t rows = 24;     ///< 1–1000
    std::uint32_t columns = 80;  ///< 1–1000
};

struct ResizeResult {
    rundir::ProcessFiles process;
    std::uint32_t rows = 0;
    std::uint32_t columns = 0;
};

/// Gives a process's terminal another size; its program hears of it by SIGWINCH. Refused for one without a terminal.
Call resize_pty(Context& context, const ResizeArguments& arguments, const Caller& caller,
                OnResult<ResizeResult> then);

}  // namespace pp::hub
