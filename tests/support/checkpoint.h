#pragma once

#include <fcntl.h>

#include <cstdint>

#include "protocol/os/unique_fd.h"
#include "protocol/ring/superblock.h"
#include "protocol/rundir/home.h"
#include "tests/support/directory_watch.h"

namespace pp::test {

/// Sleeps until the ring itself says that it holds so much: what a reboot leaves of a log.
inline void wait_for_checkpoint(const rundir::Home& home, std::uint64_t process, std::uint64_t tail) {
    DirectoryWatch written{home.process(process)};
    const os::UniqueFd ring{::open(home.ring(process).c_str(), O_RDONLY | O_CLOEXEC)};
    while (ring::find_superblock(ring.get()).value().tail < tail) written.wait();
}

}  // namespace pp::test
