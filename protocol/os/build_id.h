#pragma once

#include <sys/types.h>

#include <string>

namespace pp::os {

/// The id that the linker gave a program (ELF note GNU build-id), in hex: another one for every build, whatever its version
/// says. Empty if it has none or cannot be read. "/proc/PID/exe" is the program that runs, be its file replaced or gone.
std::string build_id(const std::string& path);

/// Whether a process executes the program that lies there now, or another file of the same build. A program without an id is
/// never taken for another file's.
bool executes_build(pid_t pid, const std::string& path);

}  // namespace pp::os
