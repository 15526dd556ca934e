#pragma once

#include <functional>
#include <vector>

#include "tests/torture/random.h"
#include "tests/torture/stream_plan.h"

namespace pp::torture {

/// Rounds in a home of their own, until the plan has its kills or something is wrong. `on_round` sees what it came to so far.
Outcome torture_streams(const Plan& plan, Random random, const std::function<void(const Outcome&)>& on_round = {});

/// All that the death table tells of: kinds, victims and file systems, with `kills` of shims alone for each kind on each file
/// system, and of others as many as their slowness allows.
std::vector<Plan> all_plans(std::uint64_t kills);

}  // namespace pp::torture
