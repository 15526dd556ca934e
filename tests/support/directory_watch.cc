#include "tests/support/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "protocol/os/error.h"

namespace pp::test {
namespace {

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

DirectoryWatch::DirectoryWatch(std::string directory)
    : directory_{std::move(directory)}, notify_{::inotify_init1(IN_CLOEXEC)} {
    if (::inotify_add_watch(notify_.get(), directory_.c_str(), IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB | IN_DELETE) < 0)
        os::throw_errno("inotify_add_watch", directory_);
}

void DirectoryWatch::wait() {
    std::array<char, 4096> buffer;
    if (::read(notify_.get(), buffer.data(), buffer.size()) <= 0) os::throw_errno("read", "inotify");
}

void DirectoryWatch::wait_for(const std::string& name) {
    while (!exists(directory_ + "/" + name)) wait();
}

}  // namespace pp::test
