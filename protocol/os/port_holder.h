#pragma once

#include <string>

namespace pp::os {

/// Who listens on a TCP port of this machine, for a person: "python3 -m http.server 8947 (pid 123)". Of a
/// process of another user only that somebody does.
std::string port_holder(int port);

}  // namespace pp::os
