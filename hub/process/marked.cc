#include "hub/process/marked.h"

#include <unistd.h>

#include <set>
#include <stdexcept>

#include "protocol/os/proc.h"

namespace pp::hub {
namespace {

bool names_home(pid_t pid, const rundir::Home& home) {
    const auto named = os::find_environment_value(pid, "PP_HOME").value_or("");
    try {
        return rundir::Home::from_environment({{"PP_HOME", named}}, ::geteuid()).run() == home.run();
    } catch (const std::runtime_error&) {
        return false;  // no path of a home
    }
}

bool is_of_home(pid_t pid, const rundir::Home& home) {
    for (auto stat = os::find_proc_stat(pid); stat && stat->parent > 1;) {
        stat = os::find_proc_stat(stat->parent);
        if (stat && (stat->comm == "pp-shim" || stat->comm == "pp-keeper")) return names_home(stat->pid, home);
    }
    return names_home(pid, home);
}

/// A zombie has no environment, and counts as gone.
void add_tree(pid_t pid, std::set<pid_t>& found) {
    const auto stat = os::find_proc_stat(pid);
    if (!stat || stat->state == 'Z' || !found.insert(pid).second) return;
    for (const pid_t child : os::children_of(pid)) add_tree(child, found);
}

}  // namespace

std::vector<pid_t> find_marked(const rundir::Home& home, std::uint64_t process) {
    const std::string mark = rundir::process_id(process) + "#";
    std::set<pid_t> found;
    for (const pid_t pid : os::all_pids()) {
        const auto value = os::find_environment_value(pid, "PP_PROCESS");
        if (value && value->starts_with(mark) && is_of_home(pid, home)) add_tree(pid, found);
    }
    return {found.begin(), found.end()};
}

}  // namespace pp::hub
