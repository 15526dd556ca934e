#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

/// Of one program: of this one, as of what would be started from here, or of a hub or keeper that runs.
struct LimitFacts {
    std::string whose;  ///< "this shell", "the hub (pid 12)"
    std::uint64_t descriptors_hard = kUnlimited;
    std::uint64_t processes_soft = kUnlimited;  ///< of this uid, threads counted
    std::uint64_t file_size_soft = kUnlimited;  ///< bytes
};

struct SharedLimitFacts {
    std::uint64_t threads_of_uid = 0;
    std::uint64_t live_processes = 0;   ///< of pp
    std::uint64_t pipe_pages_soft = 0;  ///< fs.pipe-user-pages-soft; 0: no limit
    bool is_privileged = false;         ///< root: limits of processes and pipes do not count
    int mlock_error = 0;                ///< of a page, tried; errno
};

/// From /proc/PID/limits, as proc(5) shows them (pure).
LimitFacts limits_in(const std::string& whose, const std::string& text);

Findings judge(const std::vector<LimitFacts>& limits, const SharedLimitFacts& shared);

Findings check_limits(const Survey& survey);

}  // namespace pp::cli::doctor
