#include "protocol/os/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

#include "protocol/os/read_file.h"

namespace pp::os {
namespace {

template <class Number>
Number number(std::string_view text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const auto end = text.find(separator);
        if (end != 0) parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return parts;
}

struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Names in a directory that are numbers, as /proc has them.
std::vector<int> numbered_entries(const std::string& path) {
    std::vector<int> found;
    const std::unique_ptr<DIR, CloseDir> dir{::opendir(path.c_str())};
    if (!dir) return found;
    while (const dirent* entry = ::readdir(dir.get())) {
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') found.push_back(number<int>(entry->d_name));
    }
    return found;
}

std::vector<pid_t> children_by_scan(pid_t pid) {
    std::vector<pid_t> children;
    for (const pid_t candidate : all_pids()) {
        const auto stat = find_proc_stat(candidate);
        if (stat && stat->parent == pid) children.push_back(candidate);
    }
    return children;
}

}  // namespace

std::optional<ProcStat> find_proc_stat(pid_t pid) {
    const auto text = find_file_content("/proc/" + std::to_string(pid) + "/stat");
    if (!text) return std::nullopt;
    // comm may hold blanks and parentheses: the last ')' ends it
    const auto open = text->find('(');
    const auto close = text->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
    const auto fields = split(std::string_view{*text}.substr(close + 1), ' ');
    if (fields.size() < 22) return std::nullopt;
    const auto field = [&](std::size_t n) { return fields[n - 3]; };  // numbered as in proc(5); `state` is 3

    ProcStat stat;
    stat.pid = pid;
    stat.comm = text->substr(open + 1, close - open - 1);
    stat.state = field(3).front();
    stat.parent = number<pid_t>(field(4));
    stat.group = number<pid_t>(field(5));
    stat.session = number<pid_t>(field(6));
    stat.user_ticks = number<std::uint64_t>(field(14));
    stat.system_ticks = number<std::uint64_t>(field(15));
    stat.threads = number<int>(field(20));
    stat.start_time = number<std::uint64_t>(field(22));
    stat.resident_pages = number<std::uint64_t>(field(24));
    if (fields.size() >= 50) stat.exit_code = number<int>(field(52));
    return stat;
}

std::vector<pid_t> all_pids() {
    return numbered_entries("/proc");
}

std::vector<pid_t> children_of(pid_t pid) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    std::vector<pid_t> children;
    bool listed = false;
    for (const pid_t task : numbered_entries(tasks)) {
        const auto text = find_file_content(tasks + "/" + std::to_string(task) + "/children");
        if (!text) continue;
        listed = true;
        for (const auto word : split(*text, ' ')) children.push_back(number<pid_t>(word));
    }
    return listed ? children : children_by_scan(pid);
}

std::vector<pid_t> children_of_first_thread(pid_t pid) {
    const auto number_text = std::to_string(pid);
    const auto text = find_file_content("/proc/" + number_text + "/task/" + number_text + "/children");
    if (!text) return children_of(pid);
    std::vector<pid_t> children;
    for (const auto word : split(*text, ' ')) children.push_back(number<pid_t>(word));
    return children;
}

std::vector<int> open_descriptors(pid_t pid) { return numbered_entries("/proc/" + std::to_string(pid) + "/fd"); }

bool may_look_into(pid_t pid) {
    char target = 0;
    const auto path = "/proc/" + std::to_string(pid) + "/exe";
    return ::readlink(path.c_str(), &target, 1) >= 0 || (errno != EACCES && errno != EPERM);
}

bool blocks_signal(pid_t pid, int signal) {
    const auto text = find_file_content("/proc/" + std::to_string(pid) + "/status").value_or("");
    constexpr std::string_view kKey = "\nSigBlk:\t";
    const auto at = text.find(kKey);
    std::uint64_t blocked = 0;
    if (at != std::string::npos) std::from_chars(text.data() + at + kKey.size(), text.data() + text.size(), blocked, 16);
    return (blocked >> (signal - 1) & 1) != 0;
}

std::optional<std::string> find_environment_value(pid_t pid, const std::string& name) {
    const auto text = find_file_content("/proc/" + std::to_string(pid) + "/environ");
    if (!text) return std::nullopt;
    const std::string prefix = name + "=";
    for (const auto entry : split(*text, '\0')) {
        if (entry.starts_with(prefix)) return std::string{entry.substr(prefix.size())};
    }
    return std::nullopt;
}

std::optional<std::string> find_link(const std::string& path) {
    std::string target(4096, '\0');
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return std::nullopt;
    target.resize(static_cast<std::size_t>(size));
    return target;
}

std::optional<std::string> find_program_path(pid_t pid) {
    auto path = find_link("/proc/" + std::to_string(pid) + "/exe");
    constexpr std::string_view kReplaced = " (deleted)";
    if (path && path->ends_with(kReplaced)) path->resize(path->size() - kReplaced.size());
    return path;
}

std::vector<std::string> find_arguments(pid_t pid) {
    const auto text = find_file_content("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
    std::vector<std::string> arguments;
    for (const auto part : split(text, '\0')) arguments.emplace_back(part);
    return arguments;
}

std::string command_line(pid_t pid) {
    auto text = find_file_content("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
    while (!text.empty() && text.back() == '\0') text.pop_back();
    std::replace(text.begin(), text.end(), '\0', ' ');
    if (!text.empty()) return text;
    const auto stat = find_proc_stat(pid);
    return stat ? "[" + stat->comm + "]" : std::string{};
}

std::string boot_id() {
    auto text = find_file_content("/proc/sys/kernel/random/boot_id").value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace pp::os
