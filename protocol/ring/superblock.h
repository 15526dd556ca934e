#pragma once

#include <optional>

#include "protocol/ring/format.h"

namespace pp::ring {

/// The newer valid checkpoint of a ring file. Nothing if neither is whole, or the file is not a ring we know.
std::optional<Superblock> find_superblock(int ring_fd);

/// Writes the checkpoint over the older of the two; false (errno set) if the disk refuses.
bool write_superblock(int ring_fd, Superblock block);

}  // namespace pp::ring
