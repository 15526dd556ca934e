#include "protocol/os/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "protocol/os/unique_fd.h"

namespace pp::os {

std::optional<std::string> find_file_content(const std::string& path, std::size_t limit) {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!fd) return std::nullopt;
    std::string content;
    std::size_t used = 0;
    while (true) {
        content.resize(used + 4096 + used / 2);
        const ssize_t got = ::read(fd.get(), content.data() + used, content.size() - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        used += static_cast<std::size_t>(got);
        if (used > limit) return std::nullopt;
    }
    content.resize(used);
    return content;
}

}  // namespace pp::os
