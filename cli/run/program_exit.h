#pragma once

#include "cli/context.h"
#include "cli/output/exit_code.h"
#include "cli/run/run_options.h"

namespace pp::cli {

/// The exit code of a start that was refused, as a shell would give it: 127 if the program is not there, 126
/// if it cannot be executed, 1 if that is not why. The hub's text tells the rest.
Exit exit_for_refused_start(const Context& context, const RunOptions& options);

}  // namespace pp::cli
