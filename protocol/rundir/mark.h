#pragma once

#include <sys/types.h>

#include <cstdint>

#include "protocol/rundir/home.h"

namespace pp::rundir {

// Every child carries in its environment, and hands on to all that it starts, whose it is: PP_PROCESS=p12#3 (process and
// run) and PP_PROCESS_HOME (the run directory, without symlinks: every home has a p12 of its own).

void set_mark(Environment& environment, const Home& home, ProcessNumber process, std::uint32_t run);
/// For what is to be in nobody's tree, or in another one.
void erase_mark(Environment& environment);

/// Whether it was started with any run's mark of this process. False for a zombie, and for one that we may not look into.
bool carries_mark(pid_t pid, const Home& home, ProcessNumber process);
/// Whether it was started with anybody's.
bool carries_any_mark(pid_t pid);

}  // namespace pp::rundir
