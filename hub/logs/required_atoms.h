#pragma once

#include <vector>

#include "hub/logs/byte_search.h"
#include "protocol/ring/line_pattern.h"

namespace pp::hub {

/// Texts of which each line of plain ASCII that matches has at least one; as few and as rare as the expression lets them be.
/// None if it matches without, or if there are so many that to look for them would be no gain.
std::vector<Atom> required_atoms(const ring::LinePattern& pattern);

}  // namespace pp::hub
