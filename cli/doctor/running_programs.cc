#include "cli/doctor/running_programs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "protocol/os/build_id.h"
#include "protocol/os/daemon.h"
#include "protocol/os/proc.h"

namespace pp::cli::doctor {
namespace {

constexpr std::array<std::string_view, 3> kNames{"pp-hub", "pp-keeper", "pp-shim"};

std::string name_in(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// The file itself, be it deleted.
std::optional<struct stat> find_stat(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return status;
}

RunningProgram::Build build_of(pid_t pid, const struct stat& executed, const std::string& name) {
    if (os::executes_build(pid, os::sibling_program(name))) return RunningProgram::Build::same;
    return executed.st_nlink == 0 ? RunningProgram::Build::replaced : RunningProgram::Build::elsewhere;
}

std::optional<RunningProgram> find_program(pid_t pid) {
    const auto path = os::find_program_path(pid);
    if (!path) return std::nullopt;
    const auto name = name_in(*path);
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) return std::nullopt;
    const auto owner = find_stat("/proc/" + std::to_string(pid));
    const auto executed = find_stat("/proc/" + std::to_string(pid) + "/exe");
    const auto stat = os::find_proc_stat(pid);
    if (!owner || owner->st_uid != ::geteuid() || !executed || !stat) return std::nullopt;
    RunningProgram program;
    program.name = name;
    program.pid = pid;
    program.path = *path;
    program.state = stat->state;
    program.build = build_of(pid, *executed, name);
    if (name == "pp-shim") program.process = process_of_shim(os::command_line(pid));
    return program;
}

}  // namespace

std::uint64_t process_of_shim(const std::string& command_line) {
    const auto blank = command_line.find(' ');
    std::uint64_t number = 0;
    if (blank == std::string::npos) return 0;
    const char* const begin = command_line.data() + blank + 1;
    const char* const end = command_line.data() + command_line.size();
    const auto [parsed, error] = std::from_chars(begin, end, number);
    return error == std::errc{} && (parsed == end || *parsed == ' ') ? number : 0;
}

std::vector<RunningProgram> find_running_programs(const rundir::Environment& environment) {
    const auto ours = environment.find("PP_HOME");
    const std::string home = ours == environment.end() ? "" : ours->second;
    std::vector<RunningProgram> found;
    for (const pid_t pid : os::all_pids()) {
        auto program = find_program(pid);
        if (program && os::find_environment_value(pid, "PP_HOME").value_or("") == home)
            found.push_back(*std::move(program));
    }
    return found;
}

}  // namespace pp::cli::doctor
