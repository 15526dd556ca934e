#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

struct ClearArguments {
    Target target;  ///< empty process: all finished ones of the project, or of all
};

struct ClearResult {
    std::vector<std::uint64_t> cleared;
    struct Kept {
        std::uint64_t process = 0;
        std::string why;
    };
    std::vector<Kept> kept;
};

/// Forgets finished processes, their logs and history; never a live one.
Call clear(Context& context, const ClearArguments& arguments, const Caller& caller,
           OnResult<ClearResult> then);

}  // namespace pp::hub
