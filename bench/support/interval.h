#pragma once

#include <chrono>

namespace pp::bench {

/// Lets so much time pass: an interval that is itself measured, or that lets what was started settle. Never a
/// wait for something that can be waited for.
void let_pass(std::chrono::milliseconds time);

}  // namespace pp::bench
