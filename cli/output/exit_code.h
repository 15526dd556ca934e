#pragma once

namespace pp::cli {

/// How a command ends. `run` and `wait` give the child's code instead.
enum class Exit : int {
    done = 0,
    failed = 1,  ///< the operation failed
    usage = 2,
    not_found = 3,  ///< no such process
    ambiguous = 4,  ///< several processes are meant
    no_hub = 5,     ///< there is no hub and none could be started
    not_executable = 126,
    no_program = 127,
    timed_out = 124,
};

constexpr int code(Exit exit) {
    return static_cast<int>(exit);
}

}  // namespace pp::cli
