// A keeper goes on as another program, and a shim makes room for one, while what they look after runs on.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>

#include "protocol/os/atomic_file.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/fake_hub.h"
#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using test::FakeHub;
using test::lines_to;
using test::World;

namespace {

constexpr std::uint32_t kHeldOfCat = 3;  // its output, its stdin, and its pidfd

const std::string kKeeper = std::string{PP_BIN_DIR} + "/pp-keeper";

/// Beside it lie shims of its own: copies of all that a keeper starts.
std::string copied_keeper(const World& world) {
    const auto directory = world.home().run() + "/other-bin";
    std::filesystem::create_directory(directory);
    for (const char* name : {"pp-keeper", "pp-shim"})
        std::filesystem::copy_file(std::string{PP_BIN_DIR} + "/" + name, directory + "/" + name);
    return directory + "/pp-keeper";
}

rundir::Launch cat(const World& world, std::uint64_t process) {
    auto launch = world.launch(process, {"cat"});
    launch.stdin_mode = "pipe";
    return launch;
}

wire::Input input_of(const std::string& data, bool eof) {
    wire::Input input;
    input.run = 1;
    input.data = data;
    input.eof = eof;
    return input;
}

int descriptors_of(pid_t pid) { return static_cast<int>(os::open_descriptors(pid).size()); }

bool closes_at_exec(pid_t pid, int fd) {
    const auto info = os::find_file_content("/proc/" + std::to_string(pid) + "/fdinfo/" + std::to_string(fd)).value();
    const auto flags = std::stoul(info.substr(info.find("flags:") + 6), nullptr, 8);
    return (flags & O_CLOEXEC) != 0;
}

}  // namespace

TEST_CASE("a keeper goes on as another program: its pid, its children and all that it holds stay", "[keeper][upgrade]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    world.start(cat(world, 2));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.wait_until_running(2);
    World::kill_hard(shim);  // main is the keeper's child from now on
    world.wait_for_successor(1, shim);
    world.wait_until_kept(2, 2 * kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    const auto program = copied_keeper(world);
    const int open_before = descriptors_of(keeper);

    const auto answer = world.upgrade_keeper(program);
    CHECK(answer.verb == wire::KeeperVerb::status_is);
    CHECK(answer.pid == keeper);
    CHECK(answer.value == 2);
    CHECK(answer.run == 2 * kHeldOfCat);
    CHECK(os::find_program_path(keeper) == program);
    CHECK(os::find_proc_stat(main)->parent == keeper);
    CHECK(os::find_proc_stat(keeper)->comm == "pp-keeper");
    world.wait_until_kept(2, 2 * kHeldOfCat);  // it has come to its first turn, and has set its reserve aside
    CHECK(descriptors_of(keeper) == open_before);
    for (const int fd : os::open_descriptors(keeper)) {
        if (fd > 2) CHECK(closes_at_exec(keeper, fd));
    }

    const pid_t successor = world.state(1).lifecycle.shim_pid;
    World::kill_hard(successor);  // it has what it needs, and starts the shim that lies beside it now
    const auto state = world.wait_for_successor(1, successor);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(os::find_program_path(state.lifecycle.shim_pid) == (std::filesystem::path{program}.parent_path() / "pp-shim").string());
    hub.welcome(1);
    CHECK(hub.ask(1, input_of("still here\n", false)).ok);
    world.wait_for_output(1, "still here\n");
    ::kill(main, SIGUSR1);  // how its child ended it can tell
    const auto end = world.wait_until_finished(1);
    CHECK(end.lifecycle.exit_kind == ring::ExitKind::signaled);
    CHECK(end.lifecycle.exit_value == SIGUSR1);
    CHECK(end.orphan.kind == ring::ExitKind::signaled);
}

TEST_CASE("a keeper goes on as another program again and again while shims are killed: no byte is lost", "[keeper][upgrade][kill]") {
    World world;
    const pid_t first = world.start(world.shell(1, "seq 1 300000; exit 9"));
    pid_t shim = first;
    world.wait_until_running(1);
    for (int i = 0; i < 10; ++i) {
        if (world.state(1).lifecycle.state == ring::LifeState::finished) break;
        World::kill_hard(shim);
        CHECK(world.upgrade_keeper(kKeeper).verb == wire::KeeperVerb::status_is);
        shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
    }
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.exit_value == 9);
    CHECK(world.output(1).text == lines_to(300000));
}

TEST_CASE("a keeper that cannot become the other program goes on as it was", "[keeper][upgrade]") {
    World world;
    const pid_t shim = world.start(cat(world, 1));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.wait_until_kept(1, kHeldOfCat);
    const auto no_program = world.home().run() + "/no-program";
    os::write_atomic_file(no_program, "not a program", 0700);
    const auto answer = world.upgrade_keeper(no_program);
    CHECK(answer.verb == wire::KeeperVerb::refused);
    CHECK(answer.value == ENOEXEC);
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("goes on: " + no_program + ": Exec format error"));
    const pid_t keeper = world.keeper_pid();
    for (const int fd : os::open_descriptors(keeper)) {
        if (fd > 2) CHECK(closes_at_exec(keeper, fd));
    }
    World::kill_hard(shim);
    CHECK(world.wait_for_successor(1, shim).lifecycle.main_pid == main);
}

TEST_CASE("a keeper that dies of its upgrade costs what its death costs: another one has everything again", "[keeper][upgrade][kill]") {
    World world;
    FakeHub hub{world.home()};
    world.start(cat(world, 1));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.wait_until_kept(1, kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    CHECK_THROWS(world.upgrade_keeper("/bin/false"));
    world.leave_keeper();
    CHECK(world.wait_for_keeper(keeper) != keeper);
    world.wait_until_kept(1, kHeldOfCat);
    hub.welcome(1);
    CHECK(hub.ask(1, input_of("still here\n", true)).ok);
    CHECK(world.wait_until_drained(1).lifecycle.main_pid == main);
    CHECK(world.output(1).text == "still here\n");
}

TEST_CASE("a shim makes room for a successor: nothing is lost, and nothing waits", "[shim][upgrade]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    hub.welcome(1);
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    CHECK(hub.ask(1, input_of("before\n", false)).ok);
    hub.order(1, wire::HandOver{});
    hub.release(1);
    const auto state = world.wait_for_successor(1, shim);
    CHECK(state.lifecycle.main_pid == main);
    hub.welcome(1);
    CHECK(hub.ask(1, input_of("after\n", true)).ok);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 0);
    CHECK(world.output(1).text == "before\nafter\n");
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("shim " + std::to_string(shim) + " has ended with code 0"));
}

TEST_CASE("a shim hands over in the middle of a burst, again and again, to the byte", "[shim][upgrade]") {
    World world;
    FakeHub hub{world.home()};
    pid_t shim = world.start(world.shell(1, "seq 1 300000; exec sleep 1000"));
    for (int i = 0; i < 8; ++i) {
        hub.welcome(1);
        hub.order(1, wire::HandOver{});
        hub.release(1);
        shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
    }
    world.wait_for_output(1, "\n300000\n");
    CHECK(world.output(1).text == lines_to(300000));
    CHECK(world.state(1).lifecycle.generation == 8);
}

TEST_CASE("a shim does not hand over while input waits, whose sender could not be told what was taken", "[shim][upgrade][input]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.shell(1, "echo up; read go; cat");
    launch.stdin_mode = "pipe";
    const pid_t shim = world.start(launch);
    hub.welcome(1);
    world.wait_for_output(1, "up\n");
    ::kill(world.state(1).lifecycle.main_pid, SIGSTOP);
    std::uint64_t taken = 0;
    std::uint64_t waiting = 0;
    while (waiting == 0) {  // until the pipe is full: then one waits
        const auto token = hub.send(1, input_of(std::string(64 << 10, 'x') + "\n", false));
        if (const auto done = hub.find_done_before_pong(1, token))
            taken += done->count;
        else
            waiting = token;
    }
    hub.order(1, wire::HandOver{});
    hub.ping(1);  // it has heard that, too
    CHECK(world.state(1).lifecycle.shim_pid == shim);
    CHECK(hub.byes(1) == 0);
    ::kill(world.state(1).lifecycle.main_pid, SIGCONT);
    CHECK(hub.wait_done(waiting).count > 0);
    hub.release(1);
    CHECK(world.wait_for_successor(1, shim).lifecycle.shim_pid != shim);
}
