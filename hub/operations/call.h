#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "hub/refusal.h"

namespace pp::hub {

/// A call under way. Dropping it ends its wait: the answer will not come, and what was asked of a process
/// stays asked.
using Call = std::shared_ptr<void>;

/// How a call ends, exactly once unless it is dropped: it may be before the function that began it returns.
template <class Value>
using OnResult = std::function<void(const std::variant<Value, Refusal>&)>;

}  // namespace pp::hub
