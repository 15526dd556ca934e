#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Who asks, and from where.
struct Caller {
    std::string owner_kind = "agent";                ///< human | agent
    std::string client;                              ///< "pp", or what an agent says of itself
    std::string project;                             ///< absolute path; empty: none
    std::string directory;                           ///< working directory; empty: none
    std::optional<rundir::Environment> environment;  ///< the caller's own, where it brings one
    std::uint32_t file_mode_mask = 022;
    std::vector<std::int64_t> limits;  ///< as in Launch
    std::int32_t nice = 0;
    // What suits its terminal: a new run gets it where the call does not say, and nobody is held to it.
    std::string streams = "split";  ///< merged | split
    std::uint32_t rows = 24;
    std::uint32_t columns = 80;
    int pid = 0;                      ///< 0: not known, or of another pid namespace than ours
    std::uint64_t pid_namespace = 0;  ///< 0: not known
    std::uint64_t key = 0;            ///< of what is asked, the same if it is asked again; 0: none
};

}  // namespace pp::hub
