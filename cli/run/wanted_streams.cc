#include "cli/run/wanted_streams.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/target.h"

namespace pp::cli {
namespace {

bool runs_already(const Context& context, const RunOptions& options) {
    for (const auto& files : read_all_processes(context.home)) {
        if (!files.launch || !is_live(files)) continue;
        const auto& launch = *files.launch;
        if (options.name && *options.name == launch.name) return true;
        const bool same =
            options.is_string() ? launch.command == options.command.front() : launch.argv == options.command;
        if (same) return true;
    }
    return false;
}

bool on_one_terminal() {
    struct stat out {};
    struct stat error {};
    return ::isatty(STDOUT_FILENO) == 1 && ::fstat(STDOUT_FILENO, &out) == 0 &&
           ::fstat(STDERR_FILENO, &error) == 0 && out.st_dev == error.st_dev && out.st_ino == error.st_ino;
}

}  // namespace

std::optional<std::string> wanted_streams(const Context& context, const RunOptions& options) {
    if (options.streams) return options.streams;
    if (!options.replace && runs_already(context, options)) return std::nullopt;
    return on_one_terminal() ? "merged" : "split";
}

}  // namespace pp::cli
