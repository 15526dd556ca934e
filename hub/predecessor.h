#pragma once

#include "protocol/rundir/home.h"

namespace pp::hub {

/// Ends hubs that nobody can find any more, since their lock or sockets were removed with the run directory, and waits for
/// that: else they keep the port, and unlink our sockets when they end. The caller holds the byte for starting.
void end_nameless_hubs(const rundir::Home& home);

/// Ends the hub that holds the lock, and whose sockets or epoch have been removed. One that is just ending is waited for.
void end_unreachable_hub(const rundir::Home& home);

}  // namespace pp::hub
