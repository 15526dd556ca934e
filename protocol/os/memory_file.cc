#include "protocol/os/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "protocol/os/error.h"

namespace pp::os {

UniqueFd make_memory_file(std::string_view content) {
    UniqueFd file{::memfd_create("pp", MFD_CLOEXEC)};
    if (!file) throw_errno("memfd_create");
    while (!content.empty()) {
        const ssize_t written = ::write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) throw_errno("write", "a file in memory");
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return file;
}

}  // namespace pp::os
