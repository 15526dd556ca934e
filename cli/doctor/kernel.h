#pragma once

#include "cli/doctor/finding.h"
#include "cli/doctor/probe.h"

namespace pp::cli::doctor {

/// What pp needs of the kernel apart from file systems, each tried.
std::vector<Probe> kernel_probes();

/// "Linux 6.18.5".
std::string kernel_name();

Findings check_kernel();

}  // namespace pp::cli::doctor
