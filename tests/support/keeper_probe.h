#pragma once

#include <cstdint>

#include "protocol/rundir/home.h"

namespace pp::test {

/// Until the keeper of this home, be it one that is only starting, has this many shims and holds this many descriptors.
/// Nobody tells of deposits: it is asked again when it has answered, and each question comes behind what it was told before.
void wait_until_kept(const rundir::Home& home, std::int32_t shims, std::uint32_t descriptors);

}  // namespace pp::test
