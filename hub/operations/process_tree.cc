#include "hub/operations/process_tree.h"

#include <unistd.h>

#include "protocol/os/proc.h"
#include "protocol/rundir/mark.h"

namespace pp::hub {
namespace {

constexpr std::size_t kMaxMembers = 512;  // of an answer: a fork bomb is not listed to its end

class Walk {
  public:
    std::vector<TreeMember> take() { return std::move(members_); }

    void visit(int pid) {
        if (members_.size() >= kMaxMembers || pid <= 1 || !seen_.insert(pid).second) return;
        const auto stat = os::find_proc_stat(pid);
        if (!stat) return;
        const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
        const auto page_kib = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
        members_.push_back({pid, stat->parent, std::string(1, stat->state), os::command_line(pid),
                            (stat->user_ticks + stat->system_ticks) * 1000 / ticks,
                            stat->resident_pages * page_kib});
        for (const int child : stat->threads == 1 ? os::children_of_first_thread(pid) : os::children_of(pid)) visit(child);
    }

  private:
    std::vector<TreeMember> members_;
    std::set<int> seen_;
};

}  // namespace

std::vector<TreeMember> process_tree(const rundir::Home& home, std::uint64_t process, int main_pid,
                                     const std::set<int>& foster_parents, const std::set<int>& passed_over) {
    Walk walk;
    if (main_pid > 0) walk.visit(main_pid);
    for (const int parent : foster_parents) {
        if (parent <= 1) continue;
        for (const int child : os::children_of_first_thread(parent)) {
            if (child == main_pid || passed_over.contains(child)) continue;
            if (rundir::carries_mark(child, home, process)) walk.visit(child);
        }
    }
    return walk.take();
}

}  // namespace pp::hub
