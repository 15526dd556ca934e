#pragma once

#include <string>
#include <vector>

#include "cli/doctor/probe.h"

namespace pp::cli::doctor {

/// "ext4", "tmpfs", "0x1234" of one without a name here; empty where the directory cannot be asked.
std::string file_system_name(const std::string& directory);
/// By the number of statfs(2) (pure).
std::string file_system_name(long type);

/// Whether it keeps its files over a reboot, as far as its name tells (pure).
bool is_in_memory(const std::string& name);
/// Whether others may serve it: locks and mappings then mean what they make of them (pure).
bool is_remote(const std::string& name);

/// The directory itself, or the nearest above it that is there: where it would be made.
std::string nearest_existing(const std::string& directory);

/// What pp needs of the file system of its run directory, and of its state directory's, each tried with a
/// file that nobody sees.
std::vector<Probe> run_probes(const std::string& directory);
/// `run`: where the page lies that the kernel counts in.
std::vector<Probe> state_probes(const std::string& directory, const std::string& run);

}  // namespace pp::cli::doctor
