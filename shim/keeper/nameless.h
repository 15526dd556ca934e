#pragma once

#include <chrono>

#include "protocol/rundir/home.h"

namespace pp::keeper {

/// A keeper whose lock or socket was removed from the run directory is the parent of its shims still, and holds what is theirs: it
/// is asked to take its names again. True if it listens now; false if there is none, or if it was just ending and has ended. The
/// caller holds the byte for starting, and not the other.
bool call_nameless(const rundir::Home& home, std::chrono::milliseconds patience);

}  // namespace pp::keeper
