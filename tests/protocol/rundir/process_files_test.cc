#include "protocol/rundir/process_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "protocol/os/atomic_file.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/writer.h"
#include "protocol/wire/codec.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;

namespace {

struct OneProcess {
    TempDir dir;
    rundir::Home home = rundir::Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());

    OneProcess() {
        home.prepare();
        ::mkdir(home.process(1).c_str(), 0700);
    }
    void write_launch() const {
        rundir::Launch launch;
        launch.process = 1;
        launch.name = "web";
        launch.argv = {"true"};
        launch.working_directory = "/";
        rundir::write_launch(home.launch(1), launch);
    }
    [[nodiscard]] ring::Writer writer() const {
        return ring::Writer::open({home.state_page(1), home.ring(1), home.heads(1)}, 1, ring::kMinCapacity);
    }
    /// As if the machine had been started anew.
    void age_page() const {
        auto page = *os::find_file_content(home.state_page(1));
        page[offsetof(ring::StatePageLayout, boot_id)] = 'x';
        os::write_atomic_file(home.state_page(1), page, 0600);
    }
};

ring::Lifecycle life_of(std::uint32_t run, ring::LifeState state, ring::ExitKind kind = ring::ExitKind::none, int value = 0) {
    ring::Lifecycle life;
    life.run = run;
    life.state = state;
    life.exit_kind = kind;
    life.exit_value = value;
    return life;
}

}  // namespace

TEST_CASE("a process whose launch file is missing is damaged, not absent", "[rundir][files]") {
    OneProcess process;
    const auto files = rundir::read_process_files(process.home, 1);
    CHECK_THAT(files.damage, Contains("launch file") && Contains("missing"));
    CHECK_FALSE(files.held);
}

TEST_CASE("a process's files are read each for itself", "[rundir][files]") {
    OneProcess process;
    process.write_launch();
    auto writer = process.writer();
    writer.page().publish(life_of(1, ring::LifeState::running));
    const auto lock = os::OfdLock::try_take(process.home.process_lock(1));
    auto files = rundir::read_process_files(process.home, 1);
    CHECK(files.damage.empty());
    CHECK(files.launch->name == "web");
    CHECK(files.held);
    CHECK(files.lifecycle().state == ring::LifeState::running);

    os::write_atomic_file(process.home.exit(1), "garbage", 0600);
    files = rundir::read_process_files(process.home, 1);
    CHECK_THAT(files.damage, Contains("exit record"));
    CHECK(files.launch);
    CHECK(files.lifecycle().state == ring::LifeState::running);

    os::write_atomic_file(process.home.launch(1), "\x81\xA4type\x01", 0600);
    files = rundir::read_process_files(process.home, 1);
    CHECK_THAT(files.damage, Contains("launch file") && Contains("'version' is missing") && Contains("exit record"));
    CHECK(files.state);
}

TEST_CASE("a launch file without a command, or of a later version, is refused", "[rundir][files]") {
    OneProcess process;
    rundir::Launch launch;
    launch.process = 1;
    launch.name = "web";
    launch.working_directory = "/";
    rundir::write_launch(process.home.launch(1), launch);
    CHECK_THROWS_WITH(rundir::find_launch(process.home.launch(1)), Contains("'argv' is empty"));
    launch.argv = {"true"};
    launch.version = 99;
    rundir::write_launch(process.home.launch(1), launch);
    CHECK_THROWS_WITH(rundir::find_launch(process.home.launch(1)), Contains("version is 99"));
    CHECK_FALSE(rundir::find_launch(process.home.launch(2)));
    struct stat status {};
    REQUIRE(::stat(process.home.launch(1).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);  // it holds the environment
}

TEST_CASE("the final record tells how a run ended when the page is of another boot", "[rundir][files]") {
    OneProcess process;
    process.write_launch();
    {
        auto writer = process.writer();
        writer.page().publish(life_of(2, ring::LifeState::running));
    }
    process.age_page();
    SECTION("without a record nothing is known") {
        const auto life = rundir::read_process_files(process.home, 1).lifecycle();
        CHECK(life.run == 2);
        CHECK(life.state == ring::LifeState::finished);
        CHECK(life.exit_kind == ring::ExitKind::unknown);
    }
    SECTION("a record of this run is believed") {
        rundir::write_final_record(process.home, 1, life_of(2, ring::LifeState::finished, ring::ExitKind::exited, 7));
        const auto life = rundir::read_process_files(process.home, 1).lifecycle();
        CHECK(life.exit_kind == ring::ExitKind::exited);
        CHECK(life.exit_value == 7);
    }
    SECTION("a record of an earlier run is not") {
        rundir::write_final_record(process.home, 1, life_of(1, ring::LifeState::finished, ring::ExitKind::exited, 7));
        CHECK(rundir::read_process_files(process.home, 1).lifecycle().exit_kind == ring::ExitKind::unknown);
    }
    SECTION("without any page the record is all there is") {
        rundir::write_final_record(process.home, 1, life_of(2, ring::LifeState::finished, ring::ExitKind::signaled, 9));
        ::unlink(process.home.state_page(1).c_str());
        CHECK(rundir::read_process_files(process.home, 1).lifecycle().exit_value == 9);
    }
}

TEST_CASE("a damaged final record is said", "[rundir][files]") {
    OneProcess process;
    process.write_launch();
    rundir::write_final_record(process.home, 1, life_of(1, ring::LifeState::finished, ring::ExitKind::exited, 0));
    auto record = *os::find_file_content(process.home.exit(1));
    record[20] = static_cast<char>(record[20] ^ 1);
    os::write_atomic_file(process.home.exit(1), record, 0600);
    CHECK_THAT(rundir::read_process_files(process.home, 1).damage, Contains("is damaged"));
}
