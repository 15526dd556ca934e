#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::test {

/// Nothing if the connection is refused.
inline os::UniqueFd try_connect(const std::string& path) {
    os::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) socket.reset();
    return socket;
}

}  // namespace pp::test
