#include "shim/keeper/reserve.h"

#include <fcntl.h>

namespace pp::keeper {
namespace {

os::UniqueFd take_one() { return os::UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

}  // namespace

void Reserve::release() {
    for (auto& fd : fds_) fd.reset();
}

bool Reserve::refill() {
    for (auto& fd : fds_) {
        if (!fd) fd = take_one();
        if (!fd) return false;
    }
    return true;
}

bool Reserve::has_one_more() { return static_cast<bool>(take_one()); }

}  // namespace pp::keeper
