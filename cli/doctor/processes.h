#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/survey.h"

namespace pp::cli::doctor {

/// One process, as its files and /proc show it.
struct ProcessFacts {
    std::uint64_t number = 0;
    std::string name;
    bool is_live = false;          ///< its newest run has not ended, as far as anybody recorded
    bool has_shim = false;         ///< somebody holds its lock
    pid_t main_pid = 0;            ///< of a main that lives and is the one meant; 0: none
    bool is_readable = true;       ///< /proc/PID/fd of that main can be looked into
    bool is_shim_stopped = false;  ///< by a signal
    pid_t shim_pid = 0;
    std::string damage;  ///< of launch, page or exit record
    bool is_page_damaged = false;
    std::string ring_damage;
    std::string events_damage;
    bool is_captured_by_read = false;
    int capture_error = 0;  ///< errno of the disk's last refusal
    std::uint64_t dropped_bytes = 0;
    std::uint32_t survivors = 0;   ///< of its last stop
    bool clock_went_back = false;  ///< while it wrote what its log holds now
    std::string shim_log;          ///< path
};

/// What is wrong with one process, and what to do; nothing of one that is well.
Findings judge(const ProcessFacts& facts);

Findings check_processes(const Context& context, const Survey& survey);

}  // namespace pp::cli::doctor
