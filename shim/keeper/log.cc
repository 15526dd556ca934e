#include "shim/keeper/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <utility>

namespace pp::keeper {
namespace {

constexpr off_t kMaxLog = 1 << 20;

std::string time_now() {
    std::array<char, 32> text{};
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ ", &utc);
    return text.data();
}

}  // namespace

Log::Log(std::string path) : path_{std::move(path)} { open(); }

bool Log::open() {
    fd_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    return static_cast<bool>(fd_);
}

void Log::say(const std::string& text) {
    struct stat status {};
    const bool is_there = ::fstat(fd_.get(), &status) == 0 && status.st_nlink > 0;
    const bool is_long = is_there && status.st_size > kMaxLog;
    if (is_long) ::rename(path_.c_str(), (path_ + ".1").c_str());
    if ((!is_there || is_long) && !open()) return;
    const std::string line = time_now() + std::to_string(::getpid()) + " " + text + "\n";
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), line.data(), line.size());
}

}  // namespace pp::keeper
