#pragma once

#include <cstdint>
#include <string>

#include "protocol/rundir/home.h"

namespace pp::shim {

/// One line to state/log/shim.log, which all shims share: 1 MiB and one older. Said rarely: why a shim could not come up.
void log(const rundir::Home& home, std::uint64_t process, const std::string& text);

}  // namespace pp::shim
