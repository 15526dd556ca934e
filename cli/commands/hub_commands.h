#pragma once

#include "cli/context.h"

namespace pp::cli {

/// Ends the hub and waits until it is gone; what it looks after lives on. One that hangs is killed. False if there was none.
bool stop_hub(const Context& context);

/// `pp hub upgrade`: hub, keeper and shims, one by one, go on as the programs that lie beside this one. Says what becomes of
/// each, and stops at the first that fails.
int upgrade(const Context& context, bool as_json);

}  // namespace pp::cli
