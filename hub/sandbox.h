#pragma once

#include <string>

namespace pp::hub {

/// Empty, or in what way this program is confined more than the machine's first process: whatever it starts
/// is, too.
std::string sandbox_around_us();

}  // namespace pp::hub
