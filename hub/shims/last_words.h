#pragma once

#include <cstdint>
#include <string>

#include "protocol/rundir/home.h"

namespace pp::hub {

/// What shims of this process said last in shim.log, which they do when they cannot come up; empty if that is too
/// long ago to be there.
std::string last_words(const rundir::Home& home, std::uint64_t process);

}  // namespace pp::hub
