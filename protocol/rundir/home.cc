#include "protocol/rundir/home.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include "protocol/os/atomic_file.h"
#include "protocol/os/error.h"
#include "protocol/os/read_file.h"
#include "protocol/os/unique_fd.h"
#include "protocol/os/unix_socket.h"

namespace pp::rundir {
namespace {

std::string value_or(const Environment& environment, const std::string& name, const std::string& otherwise) {
    const auto found = environment.find(name);
    return found == environment.end() || found->second.empty() ? otherwise : found->second;
}

void make_directory(const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) os::throw_errno("mkdir", part);
        if (end == std::string::npos) return;
    }
}

/// run/ holds sockets and is under /tmp: it must be ours, and nobody else may have put it there.
void check_private(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) os::throw_errno("stat", path);
    if (!S_ISDIR(status.st_mode))
        throw std::runtime_error(path + " is not a directory (a symlink is not followed); remove it, or set PP_HOME");
    if (status.st_uid != ::geteuid())
        throw std::runtime_error(path + " belongs to uid " + std::to_string(status.st_uid) + ", not to you (" +
                                 std::to_string(::geteuid()) + "); set PP_HOME to a directory of your own");
    if ((status.st_mode & 077) != 0)
        throw std::runtime_error(path + " is open to others; run: chmod 700 " + path);
}

/// Into the block that a file has already: for a full disk, on which a hub must start, as it alone can make room. A reader
/// that meets half of it takes it for no hub: pid and start time must fit. False if there is no such file, or no room either.
bool write_over(const std::string& path, const std::string& text) {
    const os::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
    return file && ::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
           ::ftruncate(file.get(), static_cast<off_t>(text.size())) == 0;
}

}  // namespace

std::string process_id(ProcessNumber number) { return "p" + std::to_string(number); }

std::optional<ProcessNumber> find_process_number(const std::string& id) {
    if (id.size() < 2 || id[0] != 'p') return std::nullopt;
    ProcessNumber number = 0;
    const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
    if (error != std::errc{} || end != id.data() + id.size() || id[1] == '0') return std::nullopt;
    return number;
}

Home Home::from_environment(const Environment& environment, unsigned uid) {
    Home home;
    home.pp_home_ = value_or(environment, "PP_HOME", "");
    if (!home.pp_home_.empty()) {
        if (home.pp_home_[0] != '/')
            throw std::runtime_error("PP_HOME is '" + home.pp_home_ + "'; it must be an absolute path");
        while (home.pp_home_.size() > 1 && home.pp_home_.back() == '/') home.pp_home_.pop_back();
        home.run_ = home.pp_home_ + "/run";
        home.state_ = home.pp_home_ + "/state";
        home.config_ = home.pp_home_ + "/config";
    } else {
        const std::string user_home = value_or(environment, "HOME", "/");
        home.run_ = "/tmp/pp-" + std::to_string(uid);
        home.state_ = value_or(environment, "XDG_STATE_HOME", user_home + "/.local/state") + "/pp";
        home.config_ = value_or(environment, "XDG_CONFIG_HOME", user_home + "/.config") + "/pp";
        if (home.state_[0] != '/' || home.config_[0] != '/')
            throw std::runtime_error("HOME, XDG_STATE_HOME and XDG_CONFIG_HOME must be absolute paths");
    }
    const std::string longest = home.run_ + "/p1234567890.sock";
    if (longest.size() > os::kMaxSocketPath)
        throw std::runtime_error("socket paths in " + home.run_ + " would pass " + std::to_string(os::kMaxSocketPath) +
                                 " bytes; set PP_HOME to a shorter directory");
    return home;
}

std::vector<std::string> Home::environment() const {
    if (!pp_home_.empty()) return {"PP_HOME=" + pp_home_};
    return {"XDG_STATE_HOME=" + state_.substr(0, state_.size() - 3),
            "XDG_CONFIG_HOME=" + config_.substr(0, config_.size() - 3)};
}

void Home::prepare() const {
    make_directory(run_);
    check_private(run_);
    make_directory(processes());
    make_directory(projects());
    make_directory(state_ + "/log");
    check_private(state_);
}

os::UniqueFd Home::hold() const {
    os::UniqueFd fd{::open(run_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd) os::throw_errno("open", run_);
    if (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) return fd;  // tmpfiles is at it: it will find our files newer
    return fd;
}

std::vector<ProcessNumber> Home::known_processes() const {
    std::vector<ProcessNumber> found;
    DIR* dir = ::opendir(processes().c_str());
    if (dir == nullptr) return found;
    while (const dirent* entry = ::readdir(dir)) {
        if (const auto number = find_process_number(entry->d_name)) found.push_back(*number);
    }
    ::closedir(dir);
    std::sort(found.begin(), found.end());
    return found;
}

// No streams here: the shim links this, and there is one for each process.
std::optional<HubEpoch> find_hub_epoch(const Home& home) {
    const auto text = os::find_file_content(home.hub_epoch(), 4096);
    if (!text) return std::nullopt;
    const auto value = [&](const std::string& key) -> std::string {
        const auto at = ("\n" + *text).find("\n" + key + " ");
        if (at == std::string::npos) return {};
        const auto begin = at + key.size() + 1;
        return text->substr(begin, text->find('\n', begin) - begin);
    };
    const auto number = [&](const std::string& key) {
        std::uint64_t parsed = 0;
        const auto digits = value(key);
        std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
        return parsed;
    };
    const HubEpoch epoch{number("epoch"), static_cast<int>(number("pid")), number("start_time"), value("version"),
                         static_cast<int>(number("port"))};
    if (epoch.epoch == 0 || epoch.pid <= 0) return std::nullopt;
    return epoch;
}

void write_hub_epoch(const Home& home, const HubEpoch& epoch) {
    const std::string text = "epoch " + std::to_string(epoch.epoch) + "\npid " + std::to_string(epoch.pid) + "\nstart_time " +
                             std::to_string(epoch.start_time) + "\nversion " + epoch.version + "\nport " +
                             std::to_string(epoch.port) + "\n";
    try {
        os::write_atomic_file(home.hub_epoch(), text, 0600);
    } catch (const std::system_error& error) {
        const bool disk_is_full = error.code().value() == ENOSPC || error.code().value() == EDQUOT;
        if (!disk_is_full || !write_over(home.hub_epoch(), text)) throw;
    }
}

Environment current_environment(char** environ) {
    Environment environment;
    for (; environ != nullptr && *environ != nullptr; ++environ) {
        const std::string entry = *environ;
        if (const auto equals = entry.find('='); equals != std::string::npos && equals > 0)
            environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
    }
    return environment;
}

}  // namespace pp::rundir
