#pragma once

#include <cstdint>
#include <string>

#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

struct InputArguments {
    Target target;
    std::string data;    ///< any bytes
    bool enter = false;  ///< a newline behind it
    bool eof = false;    ///< close stdin after it
};

struct InputResult {
    rundir::ProcessFiles process;
    std::uint64_t taken = 0;   ///< bytes
    std::uint64_t length = 0;  ///< that were to be written
    bool eof = false;          ///< stdin was closed
};

/// Writes to a process's stdin, which must have been started as a pipe.
Call send_input(Context& context, const InputArguments& arguments, const Caller& caller,
                OnResult<InputResult> then);

}  // namespace pp::hub
