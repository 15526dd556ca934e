#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "protocol/rundir/process_files.h"

namespace pp::cli {

/// All processes that left files, by number.
std::vector<rundir::ProcessFiles> read_all_processes(const rundir::Home& home);

/// The one that is named, from files alone: no hub is needed. Throws Failure: not_found naming the nearest,
/// ambiguous listing them.
rundir::ProcessFiles find_target(const Context& context, const std::string& text);

/// The same for whom its end is waited for: if nobody watches it, a hub is started, which mends that.
rundir::ProcessFiles find_watched_target(const Context& context, const std::string& text);

/// "web (p12)".
std::string spoken_name(const rundir::ProcessFiles& files);

/// Whether its main process lives or is about to.
bool is_live(const rundir::ProcessFiles& files);

}  // namespace pp::cli
