#include "hub/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "hub/wall_clock.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

constexpr off_t kMaxLog = 1 << 20;

}  // namespace

void Log::say(const std::string& text) const {
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0 && status.st_size > kMaxLog)
        ::rename(path_.c_str(), (path_ + ".1").c_str());
    const os::UniqueFd fd{
        ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) return;
    std::string line = text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    line = rundir::iso_time(wall_clock_ns()) + " " + std::to_string(::getpid()) + " " + line + "\n";
    [[maybe_unused]] const ssize_t written = ::write(fd.get(), line.data(), line.size());
}

}  // namespace pp::hub
