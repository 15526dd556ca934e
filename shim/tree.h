#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/os/loop.h"
#include "protocol/os/pid_fd.h"
#include "protocol/rundir/home.h"

namespace pp::shim {

/// What lives of a process beside main, once it matters: descendants by parent links (the shim is their subreaper), and
/// those that an earlier shim's death left to the keeper or beyond, told by the mark in their environment.
///
/// Each is held by pidfd. When one ends, the tree is read again, so that what it forked before is found: no polling.
class Tree {
  public:
    Tree(os::Loop& loop, const rundir::Home& home, std::uint64_t process, std::function<void()> on_change);
    ~Tree();

    /// Reads the tree anew, without main.
    void scan(pid_t main);
    /// A parent to whom orphans of a dead shim went.
    void add_foster_parent(pid_t pid) { foster_parents_.insert(pid); }
    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] bool empty() const { return members_.empty(); }
    /// To every member; those that have just gone are passed over.
    void send_signal(int signal);
    /// "pid command" of each, a line each.
    [[nodiscard]] std::string text() const;
    /// All live pids of the tree, main included if it lives.
    [[nodiscard]] std::vector<pid_t> pids(pid_t main) const;

  private:
    struct Member;
    [[nodiscard]] std::vector<pid_t> look() const;
    [[nodiscard]] std::vector<pid_t> find_pids() const;

    os::Loop& loop_;
    const rundir::Home& home_;
    std::uint64_t process_;
    std::function<void()> on_change_;
    std::set<pid_t> foster_parents_;
    std::vector<std::unique_ptr<Member>> members_;
    pid_t main_ = 0;
};

}  // namespace pp::shim
