#include "shim/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "protocol/os/unique_fd.h"

namespace pp::shim {
namespace {

constexpr off_t kMaxLog = 1 << 20;

}  // namespace

void log(const rundir::Home& home, std::uint64_t process, const std::string& text) {
    const std::string path = home.log("shim");
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && status.st_size > kMaxLog) ::rename(path.c_str(), (path + ".1").c_str());
    const os::UniqueFd fd{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd) return;
    std::array<char, 32> time{};
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::strftime(time.data(), time.size(), "%Y-%m-%dT%H:%M:%SZ ", &utc);
    const std::string line = time.data() + rundir::process_id(process) + " " + text + "\n";
    [[maybe_unused]] const ssize_t written = ::write(fd.get(), line.data(), line.size());
}

}  // namespace pp::shim
