#include "protocol/os/port_holder.h"

#include <dirent.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"

namespace pp::os {
namespace {

constexpr const char* kListening = "0A";

/// Inode of a listening socket: the line's fields are number, local address, remote address, state, … inode
/// (proc(5)).
std::optional<std::string> find_inode(const std::string& table, int port) {
    const auto content = find_file_content(table);
    std::istringstream lines{content.value_or("")};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream fields{line};
        std::string slot;
        std::string local;
        std::string remote;
        std::string state;
        std::string skipped;
        std::string inode;
        fields >> slot >> local >> remote >> state;
        for (int i = 0; i < 5; ++i) fields >> skipped;
        fields >> inode;
        const auto colon = local.rfind(':');
        if (colon == std::string::npos || state != kListening) continue;
        if (std::strtol(local.c_str() + colon + 1, nullptr, 16) == port) return inode;
    }
    return std::nullopt;
}

int pid_with_socket(const std::string& inode) {
    const std::string wanted = "socket:[" + inode + "]";
    std::error_code ignored;
    for (const auto& process : std::filesystem::directory_iterator{"/proc", ignored}) {
        const int pid = std::atoi(process.path().filename().c_str());
        if (pid <= 0) continue;
        std::error_code refused;
        for (const auto& fd : std::filesystem::directory_iterator{process.path() / "fd", refused}) {
            std::array<char, 64> target{};
            const ssize_t size = ::readlink(fd.path().c_str(), target.data(), target.size() - 1);
            if (size > 0 && wanted == target.data()) return pid;
        }
    }
    return 0;
}

}  // namespace

std::string port_holder(int port) {
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        const auto inode = find_inode(table, port);
        if (!inode) continue;
        const int pid = pid_with_socket(*inode);
        if (pid == 0) return "a process of another user";
        return command_line(pid) + " (pid " + std::to_string(pid) + ")";
    }
    return "nobody who can be seen";
}

}  // namespace pp::os
