// What files tell of a process that no shim looks after.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "protocol/os/atomic_file.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"
#include "protocol/ring/writer.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/process_files.h"
#include "protocol/rundir/process_view.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;
using ring::ExitKind;
using ring::LifeState;

namespace {

/// A child that lives until the test ends, or is told to.
class Main {
  public:
    Main() : pid_{::fork()} {
        if (pid_ != 0) return;
        while (true) ::pause();
    }
    ~Main() { end(); }
    Main(const Main&) = delete;
    Main& operator=(const Main&) = delete;
    void end() {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = 0;
};

struct OneProcess {
    TempDir dir;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    Main main;
    ring::Lifecycle life;
    std::optional<ring::Writer> writer;

    OneProcess() {
        home.prepare();
        ::mkdir(home.process(1).c_str(), 0700);
        rundir::Launch launch;
        launch.process = 1;
        launch.name = "web";
        launch.argv = {"true"};
        launch.working_directory = "/";
        rundir::write_launch(home.launch(1), launch);
        writer = ring::Writer::open({home.state_page(1), home.ring(1), home.heads(1)}, 1, ring::kMinCapacity);
        life.run = 2;
        life.state = LifeState::running;
        life.main_pid = main.pid();
        life.main_start_time = os::find_proc_stat(main.pid())->start_time;
        writer->page().publish(life);
    }
    [[nodiscard]] rundir::ProcessFiles read() const { return rundir::read_process_files(home, 1); }
    void give_up() const { rundir::write_given_up(home.given_up(1), {1'700'000'000'000'000'000, "its shim failed: no such disk"}); }
    void orphan_exits(int code) const {
        ring::OrphanExit orphan;
        orphan.pid = life.main_pid;
        orphan.start_time = life.main_start_time;
        orphan.kind = ExitKind::exited;
        orphan.value = code;
        orphan.ended_at_ns = 5;
        REQUIRE(ring::store_orphan(writer->page().fd(), orphan));
    }
    /// The events of run 2, as its shim told them.
    void tell(rundir::EventKind kind, ExitKind exit_kind = ExitKind::none, int value = 0) {
        rundir::EventLog log{home.events(1)};
        rundir::Event event;
        event.kind = kind;
        event.run = 2;
        event.pid = life.main_pid;
        event.start_time = kind == rundir::EventKind::started ? life.main_start_time : 0;
        event.time_ns = 1'700'000'000'000'000'000;
        event.exit_kind = exit_kind;
        event.exit_value = value;
        log.append(writer->page(), event);
    }
    void wipe() { std::filesystem::remove_all(home.run()); home.prepare(); }
};

}  // namespace

TEST_CASE("one that lives without a shim is unattended, and says what to do", "[rundir][unattended]") {
    const OneProcess process;
    const auto files = process.read();
    CHECK(files.is_unattended());
    CHECK_FALSE(files.main_is_gone);
    const auto view = rundir::process_json(files, 0);
    CHECK(view["state"] == "running");
    CHECK(view["attention"] == "unattended");
    CHECK(view["pid"] == process.main.pid());
    CHECK_THAT(view["trouble"].get<std::string>(), Contains("nobody looks after it") && Contains("pp hub start"));
    CHECK_THAT(rundir::why(files), Contains("runs; nobody looks after it"));
}

TEST_CASE("one whose shim lives is in no trouble, whatever an old word of the keeper says", "[rundir][unattended]") {
    const OneProcess process;
    process.give_up();
    const auto lock = os::OfdLock::try_take(process.home.process_lock(1));
    const auto files = process.read();
    CHECK_FALSE(files.is_unattended());
    CHECK_FALSE(files.given_up);
    const auto view = rundir::process_json(files, 0);
    CHECK(view["attention"] == "none");
    CHECK_FALSE(view.contains("trouble"));
}

TEST_CASE("the keeper's word says why there is no shim, and its record how main ended", "[rundir][unattended]") {
    OneProcess process;
    process.give_up();
    CHECK_THAT(rundir::trouble(process.read()), Contains("no such disk") && Contains("tries again"));
    process.main.end();
    process.orphan_exits(7);
    const auto files = process.read();
    CHECK(files.lifecycle().exit_kind == ExitKind::exited);
    CHECK(files.lifecycle().exit_value == 7);
    const auto view = rundir::process_json(files, 0);
    CHECK(view["state"] == "finished");
    CHECK(view["exit_code"] == 7);
    CHECK(view["attention"] == "none");
}

TEST_CASE("a record of an exit counts only when no shim will come to tell it", "[rundir][unattended]") {
    OneProcess process;
    process.main.end();
    process.orphan_exits(7);
    CHECK(process.read().lifecycle().exit_kind == ExitKind::none);  // a successor is about to
    process.give_up();
    CHECK(process.read().lifecycle().exit_value == 7);
}

TEST_CASE("one that ended while nobody looked is shown as ended, how is not known yet", "[rundir][unattended]") {
    OneProcess process;
    process.main.end();
    const auto files = process.read();
    CHECK(files.main_is_gone);
    CHECK(files.lifecycle().exit_kind == ExitKind::none);  // nothing is on record
    const auto view = rundir::process_json(files, 0);
    CHECK(view["state"] == "finished");
    CHECK(view["outcome"] == "unknown");
    CHECK(view["pid"].is_null());
    CHECK_THAT(rundir::why(files), Contains("not known yet") && Contains("pp hub start"));
}

TEST_CASE("another process with main's number is not taken for it", "[rundir][unattended]") {
    OneProcess process;
    process.life.main_start_time += 1;
    process.writer->page().publish(process.life);
    CHECK(process.read().main_is_gone);
}

TEST_CASE("output that cannot be reached is said as long as main lives", "[rundir][unattended]") {
    OneProcess process;
    const auto lock = os::OfdLock::try_take(process.home.process_lock(1));
    process.writer->page()->unreachable.store(1);
    auto view = rundir::process_json(process.read(), 0);
    CHECK(view["state"] == "running");
    CHECK(view["attention"] == "unreachable");
    CHECK_THAT(view["trouble"].get<std::string>(), Contains("cannot be reached") && Contains("restart"));
    process.life.exit_kind = ExitKind::exited;
    process.life.state = LifeState::finished;
    process.writer->page().publish(process.life);
    view = rundir::process_json(process.read(), 0);
    CHECK(view["attention"] == "none");
    CHECK_FALSE(view.contains("trouble"));
}

TEST_CASE("where the page is gone the events tell the newest run", "[rundir][unattended]") {
    OneProcess process;
    process.tell(rundir::EventKind::started);
    SECTION("of a shim that lives") {
        process.wipe();
        const auto lock = os::OfdLock::try_take(process.home.process_lock(1));
        const auto files = process.read();
        CHECK(files.lifecycle().run == 2);
        CHECK(files.lifecycle().main_pid == process.main.pid());
        CHECK(rundir::process_json(files, 0)["state"] == "running");
        CHECK_THAT(rundir::trouble(files), Contains("removed from the run directory"));
    }
    SECTION("whose main has gone: with the machine, since it began before that") {
        process.main.end();
        process.wipe();
        const auto files = process.read();
        CHECK(files.lifecycle().run == 2);
        CHECK(files.lifecycle().exit_kind == ExitKind::unknown);
        CHECK(files.lifecycle().state == LifeState::finished);
        CHECK_THAT(rundir::explanation(files), Contains("how run 2 ended is not known (reboot)"));
    }
    SECTION("that had ended") {
        process.tell(rundir::EventKind::exited, ExitKind::exited, 3);
        process.main.end();
        process.wipe();
        const auto life = process.read().lifecycle();
        CHECK(life.exit_kind == ExitKind::exited);
        CHECK(life.exit_value == 3);
        CHECK(life.state == LifeState::finished);
    }
    SECTION("and an exit record of that run goes before them") {
        auto record = process.life;
        record.exit_kind = ExitKind::signaled;
        record.exit_value = SIGSEGV;
        record.state = LifeState::finished;
        rundir::write_final_record(process.home, 1, record);
        process.main.end();
        process.wipe();
        CHECK(process.read().lifecycle().exit_value == SIGSEGV);
    }
}

TEST_CASE("the keeper's word is kept as one line, and nonsense is none", "[rundir][unattended]") {
    const TempDir dir;
    const auto path = dir / "given_up";
    CHECK_FALSE(rundir::find_given_up(path));
    rundir::write_given_up(path, {42, "two\nlines"});
    CHECK(rundir::find_given_up(path)->since_ns == 42);
    CHECK(rundir::find_given_up(path)->why == "two lines");
    rundir::write_given_up(path, {42, std::string(100'000, 'x')});
    CHECK(rundir::find_given_up(path)->why.size() == 2048);
    for (const char* nonsense : {"", "42", "forty-two because", "\n"}) {
        os::write_atomic_file(path, nonsense, 0600);
        CHECK_FALSE(rundir::find_given_up(path));
    }
}
