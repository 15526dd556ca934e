#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/ring/query.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// Asks a process's log. A log that is not there yet answers with nothing. Throws Refusal where the query
/// core refuses.
ring::Answer read_output(const rundir::Home& home, std::uint64_t process, const ring::Query& query);

/// Where the log ends now; 0 where there is none.
std::uint64_t log_end(const rundir::Home& home, std::uint64_t process);

}  // namespace pp::hub
