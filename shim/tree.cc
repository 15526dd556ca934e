#include "shim/tree.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "protocol/os/daemon.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/mark.h"

namespace pp::shim {
namespace {

constexpr int kMaxLooks = 10;  // who forks faster than that is found when one of them ends

/// Hub, keeper or another shim, that a program of the tree has brought into being (`pp` inside of it, with no hub there): it
/// was started without a mark and has come to us, the nearest subreaper. Those are in nobody's tree.
bool is_of_pp(pid_t pid) {
    const auto program = os::find_program_path(pid);
    if (!program || rundir::carries_any_mark(pid)) return false;
    const auto is = [&](const char* name) { return *program == os::sibling_program(name); };
    return is("pp-hub") || is("pp-keeper") || is("pp-shim");
}

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z' && stat->state != 'X';
}

}  // namespace

struct Tree::Member {
    os::PidFd process;
    std::unique_ptr<os::Loop::Watch> watch;
};

Tree::Tree(os::Loop& loop, const rundir::Home& home, std::uint64_t process, std::function<void()> on_change)
    : loop_{loop}, home_{home}, process_{process}, on_change_{std::move(on_change)} {}

Tree::~Tree() = default;

/// Breadth first from the shim's own children and the marked ones among the foster parents'.
std::vector<pid_t> Tree::look() const {
    std::vector<pid_t> found = os::children_of_first_thread(::getpid());
    std::erase_if(found, is_of_pp);
    for (const pid_t parent : foster_parents_) {
        for (const pid_t child : os::children_of_first_thread(parent)) {
            if (child != ::getpid() && rundir::carries_mark(child, home_, process_)) found.push_back(child);
        }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto children = os::children_of(found[i]);
        found.insert(found.end(), children.begin(), children.end());
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    std::erase_if(found, [](pid_t pid) { return !lives(pid); });
    return found;
}

/// A parent that dies while we read hands its children to one whom we have read already: only what two looks agree
/// on is the tree.
std::vector<pid_t> Tree::find_pids() const {
    auto found = look();
    for (int looks = 1; looks < kMaxLooks; ++looks) {
        auto again = look();
        if (again == found) break;
        found = std::move(again);
    }
    return found;
}

void Tree::scan(pid_t main) {
    main_ = main;
    const auto pids = find_pids();
    std::erase_if(members_, [&](const auto& member) {
        return member->process.ended() || !std::binary_search(pids.begin(), pids.end(), member->process.pid());
    });
    for (const pid_t pid : pids) {
        const bool known = std::any_of(members_.begin(), members_.end(),
                                       [&](const auto& member) { return member->process.pid() == pid; });
        if (pid == main || known) continue;
        auto process = os::PidFd::find(pid);
        if (!process || process->ended()) continue;
        auto member = std::make_unique<Member>();
        member->process = std::move(*process);
        member->watch = std::make_unique<os::Loop::Watch>(loop_, member->process.get(), POLLIN, [this](short) {
            scan(main_);
            on_change_();
        });
        members_.push_back(std::move(member));
    }
}

void Tree::send_signal(int signal) {
    for (const auto& member : members_) {
        try {
            member->process.send_signal(signal);
        } catch (const std::exception&) {
            // EPERM: it has become another user's (setuid); it will be named among the survivors
        }
    }
}

std::string Tree::text() const {
    std::string text;
    for (const auto& member : members_)
        text += std::to_string(member->process.pid()) + " " + os::command_line(member->process.pid()) + "\n";
    return text;
}

std::vector<pid_t> Tree::pids(pid_t main) const {
    auto pids = find_pids();
    if (main > 0 && std::find(pids.begin(), pids.end(), main) == pids.end() && lives(main)) pids.push_back(main);
    return pids;
}

}  // namespace pp::shim
