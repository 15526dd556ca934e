#include "protocol/rundir/mark.h"

#include <filesystem>
#include <string>
#include <system_error>

#include "protocol/os/proc.h"

namespace pp::rundir {
namespace {

constexpr const char* kProcessVariable = "PP_PROCESS";
constexpr const char* kHomeVariable = "PP_PROCESS_HOME";

/// Whether it is there or not: a run directory can be wiped and made again.
std::string name_of(const Home& home) {
    std::error_code error;
    const auto path = std::filesystem::weakly_canonical(home.run(), error);
    return error ? home.run() : path.string();
}

}  // namespace

void set_mark(Environment& environment, const Home& home, ProcessNumber process, std::uint32_t run) {
    environment[kProcessVariable] = process_id(process) + "#" + std::to_string(run);
    environment[kHomeVariable] = name_of(home);
}

void erase_mark(Environment& environment) {
    environment.erase(kProcessVariable);
    environment.erase(kHomeVariable);
}

bool carries_mark(pid_t pid, const Home& home, ProcessNumber process) {
    const auto mark = os::find_environment_value(pid, kProcessVariable);
    return mark && mark->starts_with(process_id(process) + "#") &&
           os::find_environment_value(pid, kHomeVariable) == name_of(home);
}

bool carries_any_mark(pid_t pid) { return os::find_environment_value(pid, kProcessVariable).has_value(); }

}  // namespace pp::rundir
