#include "shim/find_pipes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "protocol/os/proc.h"
#include "shim/child.h"

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

FoundPipes find_pipes(const std::vector<pid_t>& pids, const std::vector<ring::Source>& wanted) {
    FoundPipes result;
    std::vector<ring::Source> missing = wanted;
    const auto device = device_of_pipes();
    if (!device) return result;
    bool was_refused = false;
    for (const pid_t pid : pids) {
        was_refused = was_refused || !os::may_look_into(pid);
        for (const int number : os::open_descriptors(pid)) {
            const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(number);
            struct stat status {};
            if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode) || status.st_dev != *device) continue;
            const auto match = std::find_if(missing.begin(), missing.end(), [&](const ring::Source& source) {
                return source.pipe_inode == status.st_ino;
            });
            if (match == missing.end()) continue;
            const int access = match->input != 0 ? O_WRONLY : O_RDONLY;
            os::UniqueFd fd{::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC)};
            if (!fd) continue;
            result.found.push_back({*match, std::move(fd)});
            missing.erase(match);
        }
    }
    const auto outputs = std::count_if(missing.begin(), missing.end(), [](const auto& source) { return source.input == 0; });
    if (was_refused) result.unreachable_outputs = static_cast<std::uint32_t>(outputs);
    return result;
}

std::vector<ring::Source> recall_sources(pid_t main, std::uint32_t run, const rundir::Launch& launch) {
    std::vector<ring::Source> found;
    const auto device = device_of_pipes();
    const auto add = [&](int number, ring::Stream stream, bool input) {
        struct stat status {};
        const std::string path = "/proc/" + std::to_string(main) + "/fd/" + std::to_string(number);
        if (::stat(path.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode) || status.st_dev != device) return;
        ring::Source source;
        source.pipe_inode = status.st_ino;
        source.run = run;
        source.stream = stream;
        source.input = input ? 1 : 0;
        found.push_back(source);
    };
    if (launch.mode == "pty") return found;
    const bool is_split = launch.streams == "split";
    add(kSpareReadFd, is_split ? ring::Stream::out : ring::Stream::merged, false);
    if (is_split) add(kSpareReadFd + 1, ring::Stream::err, false);
    if (launch.stdin_mode == "pipe") add(STDIN_FILENO, ring::Stream::merged, true);
    return found;
}

}  // namespace pp::shim
