#pragma once

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Takes away what the dead left: sockets that nobody holds, pages of processes that were cleared, and
/// directories of processes that were never written down. The caller holds the hub's lock.
void sweep(const rundir::Home& home);

}  // namespace pp::hub
