#include "cli/run/program_exit.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace pp::cli {
namespace {

bool is_file(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

/// What would be executed; empty if a shell will see to it.
std::string program_of(const RunOptions& options) {
    const auto& first = options.command.front();
    if (!options.is_string()) return first;
    if (first.find_first_of("\n|&;<>()$`\"'\\*?[]{}#~=!%") != std::string::npos) return "";
    const auto begin = first.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : first.substr(begin, first.find_first_of(" \t", begin) - begin);
}

std::string search_path(const Context& context, const RunOptions& options) {
    if (const auto given = options.environment.find("PATH"); given != options.environment.end())
        return given->second;
    const auto ambient = context.environment.find("PATH");
    return ambient == context.environment.end() ? "/usr/local/bin:/usr/bin:/bin" : ambient->second;
}

Exit judge(const std::string& path) {
    const bool there = ::access(path.c_str(), F_OK) == 0;
    if (!there) return Exit::no_program;
    return is_file(path) && ::access(path.c_str(), X_OK) == 0 ? Exit::failed : Exit::not_executable;
}

}  // namespace

Exit exit_for_refused_start(const Context& context, const RunOptions& options) {
    const auto program = program_of(options);
    if (program.empty()) return Exit::failed;
    auto directory = options.directory.value_or(context.working_directory);
    if (!directory.starts_with('/')) directory = context.working_directory + "/" + directory;
    if (::access(directory.c_str(), F_OK) != 0) return Exit::failed;
    if (program.find('/') != std::string::npos)
        return judge(program.starts_with('/') ? program : directory + "/" + program);

    Exit best = Exit::no_program;
    const auto path = search_path(context, options);
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find(':', begin), path.size());
        const auto part = end == begin ? directory : path.substr(begin, end - begin);
        const auto found = judge(part + "/" + program);
        if (found == Exit::failed) return found;
        if (found == Exit::not_executable) best = found;
        begin = end + 1;
    }
    return best;
}

}  // namespace pp::cli
