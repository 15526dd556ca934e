#include "cli/caller.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "cli/output/terminal_size.h"
#include "protocol/os/pid_namespace.h"
#include "protocol/rundir/mark.h"

namespace pp::cli {
namespace {

std::int64_t limit_value(rlim_t value) {
    return value == RLIM_INFINITY ? -1 : static_cast<std::int64_t>(value);
}

std::string limits_json() {
    nlohmann::json limits = nlohmann::json::array();
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
        rlimit limit{};
        if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) continue;
        limits.push_back({resource, limit_value(limit.rlim_cur), limit_value(limit.rlim_max)});
    }
    return limits.dump();
}

/// There is no call that only asks.
mode_t file_mode_mask() {
    const mode_t mask = ::umask(022);
    ::umask(mask);
    return mask;
}

int niceness() {
    errno = 0;
    const int nice = ::getpriority(PRIO_PROCESS, 0);
    return errno == 0 ? nice : 0;
}

/// Then both streams are seen in one order, and one pipe keeps it.
bool on_one_terminal() {
    struct stat out {};
    struct stat error {};
    return ::isatty(STDOUT_FILENO) == 1 && ::fstat(STDOUT_FILENO, &out) == 0 &&
           ::fstat(STDERR_FILENO, &error) == 0 && out.st_dev == error.st_dev && out.st_ino == error.st_ino;
}

}  // namespace

wire::Request request_of_caller(const Context& context, const std::string& operation,
                                const std::string& arguments) {
    wire::Request request;
    request.version = PP_VERSION;
    request.operation = operation;
    request.arguments = arguments;
    request.working_directory = context.working_directory;
    request.pid = ::getpid();
    request.pid_namespace = os::own_pid_namespace();
    if (operation != "start") return request;
    request.environment = context.environment;
    rundir::erase_mark(request.environment);
    request.file_mode_mask = file_mode_mask();
    request.limits_json = limits_json();
    request.nice = niceness();
    request.streams = on_one_terminal() ? "merged" : "split";
    if (const auto size = find_terminal_size()) {
        request.rows = size->rows;
        request.columns = size->columns;
    }
    return request;
}

std::vector<std::string> environment_for_hub(const Context& context) {
    auto unmarked = context.environment;
    rundir::erase_mark(unmarked);
    std::vector<std::string> environment;
    for (const auto& [name, value] : unmarked) environment.push_back(name + "=" + value);
    return environment;
}

}  // namespace pp::cli
