#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hub/logs/log_search.h"
#include "hub/operations/call.h"
#include "hub/operations/context.h"

namespace pp::hub {

struct SearchArguments {
    Target target;  ///< without a process: all of the project, which may be "all"
    std::string pattern;
    bool literal = false;
    bool ignore_case = false;
    LogQuery query;
};

struct ProcessMatches {
    rundir::ProcessFiles process;
    LogMatches found;
    std::string problem;  ///< why its log could not be searched; empty: it was
};

struct SearchResult {
    std::vector<ProcessMatches> processes;  ///< the one that was named; else those of which there is something to say
    std::size_t searched = 0;               ///< processes
};

/// Searches on a worker, a slice at a time, so that whoever else waits for one gets a turn; dropping the call ends it. The
/// characters that are asked for are shared out among the processes.
Call search(Context& context, const SearchArguments& arguments, const Caller& caller, OnResult<SearchResult> then);

/// The same, of processes that are known already. The worker is borrowed.
Call search(Worker& worker, const rundir::Home& home, const SearchArguments& arguments,
            std::vector<rundir::ProcessFiles> processes, OnResult<SearchResult> then);

}  // namespace pp::hub
