// The system has no more processes to give: for real, by a cgroup of the test's own.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "protocol/os/error.h"
#include "protocol/os/read_file.h"
#include "tests/support/installation.h"
#include "tests/support/skip.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

/// Where groups with a limit of processes may be made: by root, where the controller is.
std::string find_hierarchy() {
    if (::access("/sys/fs/cgroup/pids/cgroup.procs", W_OK) == 0) return "/sys/fs/cgroup/pids";
    const auto given = os::find_file_content("/sys/fs/cgroup/cgroup.subtree_control").value_or("");
    return given.find("pids") != std::string::npos && ::access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0 ? "/sys/fs/cgroup" : "";
}

/// A group of processes with a limit, removed when all of them have ended.
class PidsGroup {
  public:
    explicit PidsGroup(const std::string& hierarchy) : path_{hierarchy + "/pp-test-XXXXXX"} {
        if (::mkdtemp(path_.data()) == nullptr) os::throw_errno("mkdtemp", path_);
    }
    ~PidsGroup() { ::rmdir(path_.c_str()); }
    PidsGroup(const PidsGroup&) = delete;
    PidsGroup& operator=(const PidsGroup&) = delete;

    /// The shell words that put a shell, and what comes of it, into the group.
    [[nodiscard]] std::string enter() const { return "echo $$ > " + path_ + "/cgroup.procs"; }
    /// No process beyond those that are there.
    void close() const { std::ofstream{path_ + "/pids.max"} << *os::find_file_content(path_ + "/pids.current"); }
    void open() const { std::ofstream{path_ + "/pids.max"} << "max"; }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("no more processes: starts are refused with why, what runs is not disturbed, a lost shim is replaced when it can be",
          "[e2e][fault][pids]") {
    const auto hierarchy = find_hierarchy();
    if (hierarchy.empty()) return test::skip("no cgroup with a limit of processes may be made here");
    const PidsGroup group{hierarchy};
    Installation pp;
    const std::string script = group.enter() + " && exec " + pp.program("pp") + " hub start";
    REQUIRE(test::Running({"/bin/sh", "-c", script}, pp.environment(), pp.work()).wait().code == 0);
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);

    group.close();
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("Resource temporarily unavailable"));
    const auto before = pp.pp_json({"status", "cat"})["process"];
    CHECK(before["state"] == "running");
    Installation::kill_hard(pp.shim_pid("p1"));  // its place may be taken by the successor, or by nobody
    CHECK(pp.pp({"logs", "cat"}).code == 0);

    group.open();
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    CHECK(pp.pp({"restart", "web"}).code == 0);
    CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
}
