#include "tests/support/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "protocol/os/error.h"

namespace pp::test {
namespace {

bool write_to(const char* path, const std::string& text) {
    std::ofstream file{path};
    return static_cast<bool>(file << text << std::flush);
}

}  // namespace

std::string take_private_mounts() {
    const auto uid = std::to_string(::geteuid());
    const auto gid = std::to_string(::getegid());
    const bool is_root = ::geteuid() == 0;
    if (::unshare(CLONE_NEWNS | (is_root ? 0 : CLONE_NEWUSER)) != 0)
        return "no mount namespace: " + os::error_text(errno);
    const bool is_mapped = is_root || (write_to("/proc/self/uid_map", uid + " " + uid + " 1") &&
                                       write_to("/proc/self/setgroups", "deny") &&
                                       write_to("/proc/self/gid_map", gid + " " + gid + " 1"));
    if (!is_mapped) return "no user namespace in which we are who we were";
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return "no mounts of our own: " + os::error_text(errno);
    return "";
}

}  // namespace pp::test
