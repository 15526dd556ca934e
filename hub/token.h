#pragma once

#include <cstdint>
#include <string>

namespace pp::hub {

/// A number that nobody can guess.
std::uint64_t random_number();

/// The bearer token in this file (0600), made where there is none.
std::string load_token(const std::string& path);

}  // namespace pp::hub
