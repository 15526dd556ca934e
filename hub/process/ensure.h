#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/rundir/launch.h"

namespace pp::hub {

/// What a start asks for: the command and directory always, the rest only as far as the caller gave it. The
/// ambient environment never counts.
struct Wanted {
    std::vector<std::string> argv;
    std::string directory;
    std::optional<std::string> name;
    std::optional<std::string> label;
    std::optional<std::string> mode;
    std::optional<std::uint32_t> rows;
    std::optional<std::uint32_t> columns;
    std::optional<std::string> streams;
    std::optional<std::string> stdin_mode;
    std::optional<std::uint64_t> log_capacity;  ///< as a ring has it
    std::map<std::string, std::string> environment;  ///< what was given in the call
};

/// How many bytes of output the process's ring keeps.
std::uint64_t log_capacity_of(const rundir::Launch& launch);

/// In what a process differs from what is wanted, in words; empty: equal, so that it is the one that is asked
/// for.
std::vector<std::string> differences(const Wanted& wanted, const rundir::Launch& launch);

}  // namespace pp::hub
