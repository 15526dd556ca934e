#pragma once

#include <string>

namespace pp::test {

/// From here on this program, and what it starts, has mounts of its own and may mount: as root, or in a user namespace in
/// which it is who it was. Empty, or why the system does not let it.
std::string take_private_mounts();

}  // namespace pp::test
