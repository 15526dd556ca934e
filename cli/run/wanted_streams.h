#pragma once

#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/run/run_options.h"

namespace pp::cli {

/// How a child's streams are to be captured: as asked; else as one if both of ours go to the same terminal, where their
/// order can be seen; else apart, so that each can go its way. Nothing if the command runs already, as far as files tell:
/// then it is joined with the streams that it has.
std::optional<std::string> wanted_streams(const Context& context, const RunOptions& options);

}  // namespace pp::cli
