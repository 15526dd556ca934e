#pragma once

#include <string>
#include <vector>

#include "cli/doctor/finding.h"

namespace pp::cli::doctor {

/// Something of the system that was really tried.
struct Probe {
    std::string name;     ///< "pidfd_open", "splice into a mapped offset on ext4"
    int error = 0;        ///< errno; 0: it works
    std::string without;  ///< what pp cannot do without it
    bool needed = true;   ///< false: pp does without, at the price that is said
};

/// Errno of a step that must give a value that is not negative.
int error_of(long result);

/// One line for all that work, and one for each that does not (pure). `advice` goes with what is needed and
/// missing.
Findings judge(const std::string& area, const std::string& where, const std::vector<Probe>& probes,
               const std::string& advice);

}  // namespace pp::cli::doctor
