#include "hub/process/marked.h"

#include <set>

#include "protocol/os/proc.h"
#include "protocol/rundir/mark.h"

namespace pp::hub {
namespace {

/// A zombie has no environment, and counts as gone.
void add_tree(pid_t pid, std::set<pid_t>& found) {
    const auto stat = os::find_proc_stat(pid);
    if (!stat || stat->state == 'Z' || !found.insert(pid).second) return;
    for (const pid_t child : os::children_of(pid)) add_tree(child, found);
}

}  // namespace

std::vector<pid_t> find_marked(const rundir::Home& home, std::uint64_t process) {
    std::set<pid_t> found;
    for (const pid_t pid : os::all_pids()) {
        if (rundir::carries_mark(pid, home, process)) add_tree(pid, found);
    }
    return {found.begin(), found.end()};
}

}  // namespace pp::hub
