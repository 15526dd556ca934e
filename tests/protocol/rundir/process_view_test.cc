#include "protocol/rundir/process_view.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "protocol/os/proc.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;
using ring::ExitKind;
using ring::LifeState;
using rundir::Outcome;

namespace {

ring::Lifecycle ended(ExitKind kind, int value, bool stop_requested = false) {
    ring::Lifecycle life;
    life.run = 1;
    life.state = LifeState::finished;
    life.exit_kind = kind;
    life.exit_value = value;
    life.stop_requested = stop_requested ? 1 : 0;
    return life;
}

rundir::ProcessFiles files_with(const ring::Lifecycle& life) {
    rundir::ProcessFiles files;
    files.number = 12;
    files.held = true;
    files.state = ring::StateSnapshot{};
    files.state->this_boot = true;
    files.state->lifecycle = life;
    files.launch = rundir::Launch{};
    return files;
}

}  // namespace

TEST_CASE("the outcome of a run is one word", "[rundir][view]") {
    struct Row {
        ExitKind kind;
        int value;
        bool stop_requested;
        Outcome outcome;
        const char* name;
    };
    for (const Row& row : {
             Row{ExitKind::none, 0, false, Outcome::none, ""},
             Row{ExitKind::none, 0, true, Outcome::none, ""},
             Row{ExitKind::exited, 0, false, Outcome::succeeded, "succeeded"},
             Row{ExitKind::exited, 1, false, Outcome::failed, "failed"},
             Row{ExitKind::exited, 0, true, Outcome::stopped, "stopped"},
             Row{ExitKind::exited, 143, true, Outcome::stopped, "stopped"},
             Row{ExitKind::signaled, SIGSEGV, false, Outcome::crashed, "crashed"},
             Row{ExitKind::signaled, SIGABRT, false, Outcome::crashed, "crashed"},
             Row{ExitKind::signaled, SIGBUS, false, Outcome::crashed, "crashed"},
             Row{ExitKind::signaled, SIGFPE, false, Outcome::crashed, "crashed"},
             Row{ExitKind::signaled, SIGILL, false, Outcome::crashed, "crashed"},
             Row{ExitKind::signaled, SIGKILL, false, Outcome::killed, "killed"},
             Row{ExitKind::signaled, SIGTERM, false, Outcome::killed, "killed"},
             Row{ExitKind::signaled, SIGTERM, true, Outcome::stopped, "stopped"},
             Row{ExitKind::signaled, SIGKILL, true, Outcome::stopped, "stopped"},
             Row{ExitKind::unknown, 0, false, Outcome::unknown, "unknown"},
             Row{ExitKind::not_started, ENOENT, false, Outcome::failed, "failed"},
         }) {
        CAPTURE(static_cast<int>(row.kind), row.value, row.stop_requested);
        CHECK(rundir::outcome_of(ended(row.kind, row.value, row.stop_requested)) == row.outcome);
        CHECK(rundir::outcome_name(row.outcome) == row.name);
    }
}

TEST_CASE("states have the names of the design", "[rundir][view]") {
    CHECK(rundir::state_name(LifeState::none) == "starting");
    CHECK(rundir::state_name(LifeState::starting) == "starting");
    CHECK(rundir::state_name(LifeState::building) == "building");
    CHECK(rundir::state_name(LifeState::running) == "running");
    CHECK(rundir::state_name(LifeState::stopping) == "stopping");
    CHECK(rundir::state_name(LifeState::backoff) == "backoff");
    CHECK(rundir::state_name(LifeState::finished) == "finished");
    CHECK(rundir::state_name(static_cast<LifeState>(99)) == "unknown");
}

TEST_CASE("signals are named, and found by name, short name and number", "[rundir][view]") {
    CHECK(rundir::signal_name(SIGTERM) == "SIGTERM");
    CHECK(rundir::signal_name(SIGKILL) == "SIGKILL");
    CHECK(rundir::signal_name(99) == "signal 99");
    for (const char* name : {"SIGTERM", "TERM", "term", "sigterm", "15"}) CHECK(rundir::find_signal(name) == SIGTERM);
    for (const char* name : {"", "SIG", "NOPE", "0", "-1", "15x", "1000"}) CHECK_FALSE(rundir::find_signal(name));
}

TEST_CASE("times are ISO 8601 in UTC with milliseconds", "[rundir][view]") {
    CHECK(rundir::iso_time(0) == "1970-01-01T00:00:00.000Z");
    CHECK(rundir::iso_time(1'700'000'000'123'999'999) == "2023-11-14T22:13:20.123Z");
    CHECK(rundir::iso_time(951'782'399'999'000'000) == "2000-02-28T23:59:59.999Z");
}

TEST_CASE("a project is the nearest ancestor with a mark, else the directory itself", "[rundir][view]") {
    TempDir dir;
    std::filesystem::create_directories(dir / "outer/inner/deep");
    CHECK(rundir::project_of(dir / "outer/inner/deep") == dir / "outer/inner/deep");
    std::filesystem::create_directory(dir / "outer/.git");
    CHECK(rundir::project_of(dir / "outer/inner/deep") == dir / "outer");
    CHECK(rundir::project_of(dir / "outer/inner/deep///") == dir / "outer");
    std::filesystem::create_directory(dir / "outer/inner/.mcp-run");
    CHECK(rundir::project_of(dir / "outer/inner/deep") == dir / "outer/inner");
    std::filesystem::create_directory(dir / "outer/inner/deep/pp.toml");
    CHECK(rundir::project_of(dir / "outer/inner/deep") == dir / "outer/inner/deep");
    CHECK(rundir::project_of("/") == "/");
    CHECK(rundir::project_of("/nonexistent/x") == "/nonexistent/x");
}

TEST_CASE("an explanation says how and, if so, that it was asked for", "[rundir][view]") {
    auto life = ended(ExitKind::exited, 7);
    life.started_at_ns = 1'000'000'000;
    life.ended_at_ns = 3'000'000'000;
    CHECK(rundir::explanation(files_with(life)) == "exited with code 7 after 2.0 s");
    CHECK_THAT(rundir::explanation(files_with(ended(ExitKind::signaled, SIGTERM, true))),
               Contains("SIGTERM") && Contains("asked to stop"));
    CHECK_THAT(rundir::explanation(files_with(ended(ExitKind::not_started, ENOENT))), Contains("No such file"));
    auto rebooted = files_with(ended(ExitKind::unknown, 0));
    rebooted.state->this_boot = false;
    CHECK_THAT(rundir::explanation(rebooted), Contains("reboot"));
}

TEST_CASE("a process is shown with the keys of the contract, absent as null", "[rundir][view]") {
    ring::Lifecycle life;
    life.run = 3;
    life.state = LifeState::running;
    life.main_pid = 4711;
    life.started_at_ns = 1'700'000'000'000'000'000;
    life.restarts = 2;
    auto files = files_with(life);
    files.launch->name = "web";
    files.launch->argv = {"true"};
    files.state->tail = 99;
    files.held = true;
    const auto view = rundir::process_json(files, life.started_at_ns + 1'500'000'000);
    for (const char* key : {"id", "name", "label", "project", "owner", "command", "working_directory", "mode", "state", "ready",
                            "attention", "descendants", "pid", "run", "started_at", "ended_at", "uptime_ms", "outcome",
                            "exit_code", "signal", "restarts", "ports", "cursor"})
        CHECK(view.contains(key));
    CHECK(view["id"] == "p12");
    CHECK(view["state"] == "running");
    CHECK(view["pid"] == 4711);
    CHECK(view["run"] == 3);
    CHECK(view["uptime_ms"] == 1500);
    CHECK(view["cursor"] == 99);
    CHECK(view["owner"]["kind"] == "human");
    CHECK(view["started_at"] == "2023-11-14T22:13:20.000Z");
    CHECK(view["owner"]["client"].is_null());
    for (const char* key : {"ended_at", "outcome", "exit_code", "signal"}) CHECK(view[key].is_null());

    const auto killed = rundir::process_json(files_with(ended(ExitKind::signaled, SIGKILL)), 0);
    CHECK(killed["signal"] == "SIGKILL");
    CHECK(killed["outcome"] == "killed");
    CHECK(killed["pid"].is_null());
    CHECK(killed["exit_code"].is_null());
}

TEST_CASE("what a clock that jumps, a later version or a damaged record says can be shown", "[rundir][view][clock]") {
    ring::Lifecycle life;
    life.run = 1;
    life.state = LifeState::running;
    life.started_at_ns = 1'700'000'000'000'000'000;
    CHECK(rundir::process_json(files_with(life), life.started_at_ns - 3'600'000'000'000)["uptime_ms"] == 0);
    life.ended_at_ns = INT64_MIN;
    CHECK(rundir::process_json(files_with(life), 0)["uptime_ms"] == 0);
    life.started_at_ns = 1;
    life.ended_at_ns = INT64_MAX;
    CHECK(rundir::process_json(files_with(life), 0)["uptime_ms"] == INT64_MAX / 1'000'000);
    life.exit_kind = static_cast<ExitKind>(99);
    CHECK_THAT(rundir::explanation(files_with(life)), Contains("this version does not know"));
    life.exit_kind = ExitKind::exited;
    life.ended_at_ns = life.started_at_ns - 1;
    CHECK(rundir::explanation(files_with(life)) == "exited with code 0");
}
