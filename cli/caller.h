#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "protocol/wire/control_messages.h"

namespace pp::cli {

/// A request with all that a child inherits from its caller: directory, and for `start` environment, umask,
/// limits, priority, and what suits the terminal here.
wire::Request request_of_caller(const Context& context, const std::string& operation,
                                const std::string& arguments);

/// The caller's environment for a hub that is to be in nobody's tree: without its mark.
std::vector<std::string> environment_for_hub(const Context& context);

}  // namespace pp::cli
