#include "shim/find_pipes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace pp::shim {
namespace {

/// All pipes of a boot are of one device, which no FIFO in a directory is of; nothing if there is no pipe to be had.
std::optional<dev_t> device_of_pipes() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    const os::UniqueFd read_end{ends[0]};
    const os::UniqueFd write_end{ends[1]};
    struct stat status {};
    if (::fstat(read_end.get(), &status) != 0) return std::nullopt;
    return status.st_dev;
}

}  // namespace

std::uint64_t inode_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

std::vector<FoundPipe> find_pipes(const std::vector<pid_t>& pids, const std::vector<ring::Source>& wanted) {
    std::vector<FoundPipe> found;
    std::vector<ring::Source> missing = wanted;
    const auto device = device_of_pipes();
    if (!device) return found;
    for (const pid_t pid : pids) {
        const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
        DIR* dir = ::opendir(directory.c_str());
        if (dir == nullptr) continue;
        while (const dirent* entry = ::readdir(dir)) {
            const std::string path = directory + "/" + entry->d_name;
            struct stat status {};
            if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode) || status.st_dev != *device) continue;
            const auto match = std::find_if(missing.begin(), missing.end(), [&](const ring::Source& source) {
                return source.pipe_inode == status.st_ino;
            });
            if (match == missing.end()) continue;
            const int access = match->input != 0 ? O_WRONLY : O_RDONLY;
            os::UniqueFd fd{::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC)};
            if (!fd) continue;
            found.push_back({*match, std::move(fd)});
            missing.erase(match);
        }
        ::closedir(dir);
    }
    return found;
}

}  // namespace pp::shim
