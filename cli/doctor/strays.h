#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/doctor/finding.h"

namespace pp::cli::doctor {

struct StrayFacts {
    std::vector<std::string> of_nobody;   ///< in run/: of processes that do not exist
    std::vector<std::string> unfinished;  ///< directories of processes that were never written down
    std::vector<std::string> put_aside;   ///< histories that were damaged
    bool is_history_foreign = false;      ///< history.db is no SQLite file
    std::string history;
    bool hub_runs = false;
};

Findings judge(const StrayFacts& facts);

/// Files that belong to nothing, and the history as far as its first bytes tell.
Findings check_strays(const Context& context, bool hub_runs);

}  // namespace pp::cli::doctor
