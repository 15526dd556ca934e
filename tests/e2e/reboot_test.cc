// The machine went down: nothing lives, and pages are of another boot, or gone with a /tmp that is emptied.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "protocol/os/atomic_file.h"
#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/state_page.h"
#include "protocol/rundir/event_log.h"
#include "tests/support/installation.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

/// Everything of this home dies at once.
void power_off(Installation& pp) {
    std::vector<os::PidFd> all;
    const auto add = [&](pid_t pid) {
        auto found = pid > 0 ? os::PidFd::find(pid) : std::nullopt;
        if (found) all.push_back(std::move(*found));
    };
    const auto processes = pp.pp_json({"ls"})["processes"];
    add(pp.hub_pid());
    add(pp.keeper_pid());
    for (const auto& process : processes) {
        if (process["pid"].is_null()) continue;
        add(pp.shim_pid(process["id"]));
        add(process["pid"]);
    }
    for (const auto& process : all) process.send_signal(SIGSTOP);
    for (const auto& process : all) process.send_signal(SIGKILL);
    for (const auto& process : all) process.wait_for_end();
}

/// As pages are that another boot has left.
void age(const std::string& page) {
    auto content = os::find_file_content(page).value();
    content[offsetof(ring::StatePageLayout, boot_id)] = 'x';
    os::write_atomic_file(page, content, 0600);
}

}  // namespace

TEST_CASE("after a reboot what lived is unknown, what had ended is told, and a new start goes on with the next run", "[e2e][reboot]") {
    const bool is_run_emptied = GENERATE(false, true);
    CAPTURE(is_run_emptied);
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "build", "sh", "-c", "echo built; exit 3"}).code == 3);
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "echo first; exit 0"}).code == 0);
    REQUIRE(pp.pp({"wait", "web"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "echo first; exec sleep 1000"}).code == 0);
    REQUIRE(pp.pp({"restart", "p3"}).code == 0);
    power_off(pp);
    if (is_run_emptied)
        std::filesystem::remove_all(pp.home().run());
    else
        for (const char* id : {"p1", "p2", "p3"}) age(pp.home().run() + "/" + id + ".state");

    const auto before = pp.pp_json({"ls"})["processes"];  // no hub, and none is needed
    REQUIRE(before.size() == 3);
    CHECK(before[0]["outcome"] == "failed");
    CHECK(before[0]["exit_code"] == 3);
    CHECK(before[1]["outcome"] == "succeeded");
    CHECK(before[2]["state"] == "finished");
    CHECK(before[2]["outcome"] == "unknown");
    CHECK(before[2]["run"] == 2);
    CHECK(before[2]["pid"].is_null());

    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    const auto status = pp.pp_json({"status", "p3"});
    CHECK(status["process"]["outcome"] == "unknown");
    CHECK_THAT(status["why"].get<std::string>(), Contains(is_run_emptied ? "not known" : "how run 2 ended is not known (reboot)"));

    const auto again = pp.pp({"run", "-d", "--name", "web", "sh", "-c", "echo first; exec sleep 1000"});
    CHECK(again.code == 0);
    const auto after = pp.pp_json({"status", "p3"});
    CHECK(after["process"]["run"] == 3);
    CHECK(after["process"]["state"] == "running");
    REQUIRE(after["runs"].size() == 3);
    CHECK(after["runs"][1]["outcome"] == "unknown");
    CHECK(after["runs"][1]["run"] == 2);
    std::vector<rundir::EventKind> ends;
    for (const auto& event : rundir::read_events(pp.home().events(3), 1)) {
        if (event.run == 2 && event.kind == rundir::EventKind::exited) ends.push_back(event.kind);
    }
    CHECK(ends.size() == 1);  // whoever is told of events is told of that, too
    const auto build = pp.pp({"run", "--name", "build", "sh", "-c", "echo built; exit 3"});
    CHECK(build.code == 3);
    CHECK(pp.pp_json({"status", "build"})["process"]["run"] == 2);
}
