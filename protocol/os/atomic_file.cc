#include "protocol/os/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"

namespace pp::os {
namespace {

void write_all(int fd, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw_errno("write", path);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

void write_atomic_file(const std::string& path, std::string_view content, mode_t mode, Durability durability) {
    const std::string beside = path + ".new";
    ::unlink(beside.c_str());  // left by a crash
    UniqueFd fd{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
    if (!fd) throw_errno("open", beside);
    try {
        write_all(fd.get(), content, beside);
        if (durability == Durability::fsync && ::fsync(fd.get()) != 0) throw_errno("fsync", beside);
        if (::rename(beside.c_str(), path.c_str()) != 0) throw_errno("rename", beside);
    } catch (...) {
        ::unlink(beside.c_str());
        throw;
    }
}

}  // namespace pp::os
