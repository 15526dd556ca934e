#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "protocol/ring/writer.h"
#include "protocol/rundir/process_files.h"
#include "tests/support/fake_hub.h"
#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using test::FakeHub;
using test::lines_to;
using test::World;

TEST_CASE("a shim killed in the middle of a burst loses no byte, and its successor tells the exit", "[shim][kill]") {
    World world;
    // writes until it is told, which may interrupt a write
    auto launch = world.shell(1, "exec 2>/dev/null; trap 'exit 9' USR1; while :; do echo $((++i)); done");
    launch.log_capacity = 256u << 20;
    pid_t shim = world.start(launch);
    const auto main = world.wait_until_running(1).lifecycle.main_pid;
    for (int kills = 0; kills < 20; ++kills) {
        const auto written = world.state(1).tail;
        world.wait_until(1, [&](const auto& state) { return state.tail > written; });
        World::kill_hard(shim);
        shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
    }
    CHECK(world.state(1).lifecycle.main_pid == main);
    ::kill(main, SIGUSR1);
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(state.lifecycle.exit_value == 9);
    const auto output = world.output(1);
    CHECK(output.lost == 0);
    CHECK(output.text == lines_to(static_cast<int>(std::count(output.text.begin(), output.text.end(), '\n'))));
}

TEST_CASE("stdin stays open to cat while its shim is killed", "[shim][kill][input]") {
    World world;
    auto launch = world.launch(1, {"cat"});
    launch.stdin_mode = "pipe";
    const pid_t shim = world.start(launch);
    const auto main = world.wait_until_running(1).lifecycle.main_pid;
    World::kill_hard(shim);
    const auto state = world.wait_for_successor(1, shim);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(state.lifecycle.state == ring::LifeState::running);
    const auto stat = os::find_proc_stat(main);
    REQUIRE(stat);
    CHECK(stat->state != 'Z');
}

TEST_CASE("a child that ends while its shim is dead is told with its true code", "[shim][kill]") {
    World world;
    for (std::uint64_t i = 1; i <= 20; ++i) {
        const pid_t shim = world.start(world.shell(i, "trap 'exit 5' USR1; echo up; while :; do sleep 1000 & wait; done"));
        world.wait_for_output(i, "up");
        const pid_t main = world.state(i).lifecycle.main_pid;
        ::kill(shim, SIGKILL);
        ::kill(main, SIGUSR1);
        const auto state = world.wait_until_finished(i);
        REQUIRE(state.lifecycle.exit_kind == ring::ExitKind::exited);
        REQUIRE(state.lifecycle.exit_value == 5);
    }
}

TEST_CASE("with shim and keeper dead at once the child lives on, and its output goes on", "[shim][keeper][kill]") {
    World world;
    const pid_t shim = world.start(world.shell(
        1, "trap 'echo after; exit 6' USR1; echo before; while :; do sleep 1000 & wait; done"));
    world.wait_for_output(1, "before");
    const pid_t main = world.state(1).lifecycle.main_pid;
    ::kill(world.keeper_pid(), SIGSTOP);  // lest it starts a successor before it is killed
    World::kill_hard(shim);
    world.kill_keeper();
    CHECK(os::find_proc_stat(main));
    world.ensure_shim(1);
    world.wait_for_successor(1, shim);
    ::kill(main, SIGUSR1);
    const auto state = world.wait_until_finished(1);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(state.lifecycle.exit_value == 6);
    CHECK(world.output(1).text == "before\nafter\n");
}

TEST_CASE("a killed keeper is replaced, and a shim killed after that is too", "[keeper][kill]") {
    World world;
    const pid_t shim = world.start(world.shell(1, "trap 'echo got it; exit 4' USR1; echo before; while :; do sleep 1000 & wait; done"));
    world.wait_for_output(1, "before\n");
    const auto main = world.state(1).lifecycle.main_pid;
    const pid_t keeper = world.keeper_pid();
    world.kill_keeper();
    world.connect_keeper();
    CHECK(world.keeper_pid() != keeper);
    World::kill_hard(shim);
    world.ensure_shim(1);
    const auto state = world.wait_for_successor(1, shim);
    CHECK(state.lifecycle.main_pid == main);
    ::kill(main, SIGUSR1);
    const auto end = world.wait_until_finished(1);
    CHECK(end.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(end.lifecycle.exit_value == 4);
    CHECK(world.output(1).text == "before\ngot it\n");
}

TEST_CASE("a stop ends nothing of another home's process of the same number", "[shim][tree][stop]") {
    World other;
    const pid_t other_shim = other.start(other.launch(1, {"sleep", "1000"}));
    const pid_t stranger = other.wait_until_running(1).lifecycle.main_pid;
    ::kill(other.keeper_pid(), SIGSTOP);  // lest it starts a successor before it is killed
    World::kill_hard(other_shim);
    other.kill_keeper();  // its main is now a child of whoever reaps orphans

    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    World::kill_hard(shim);  // the successor looks for its tree among those orphans too
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    wire::Stop stop;
    stop.run = 1;
    const auto done = hub.ask(1, stop);
    CHECK(done.ok);
    CHECK(done.detail.empty());
    CHECK_FALSE(os::find_proc_stat(main));
    const auto stat = os::find_proc_stat(stranger);
    REQUIRE(stat);
    CHECK(stat->state != 'Z');
}

TEST_CASE("pipes of a run whose shim died before it had a child do not take the next ones' place", "[shim][keeper][kill]") {
    World world;
    ::mkdir(world.home().process(1).c_str(), 0700);
    // the spare read ends are closed, so that a pipe whose other end nobody holds is the child's death
    rundir::write_launch(world.home().launch(1), world.shell(1, "exec 100<&-; trap 'echo down; exit 3' USR1; echo up; "
                                                               "while :; do sleep 1000 & wait; done"));
    auto writer = ring::Writer::open({world.home().state_page(1), world.home().ring(1), world.home().heads(1)}, 1,
                                     ring::kMinCapacity);
    ring::Lifecycle life;
    life.run = 1;
    life.state = ring::LifeState::starting;
    writer.page().publish(life);

    // the shim that got so far, and dies
    const pid_t first = ::fork();
    if (first == 0) {
        while (true) ::pause();
    }
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    const os::UniqueFd dead_end{pipe[0]};
    ::close(pipe[1]);
    world.connect_keeper();
    auto to_keeper = os::find_seqpacket(world.home().keeper_socket());
    REQUIRE(to_keeper);
    wire::KeeperMessage message;
    message.verb = wire::KeeperVerb::attach;
    message.process = 1;
    message.pid = first;
    const auto pid_fd = os::PidFd::find(first);
    const std::array<int, 2> identity = {pid_fd->get(), writer.page().fd()};
    REQUIRE(os::send_message(to_keeper->get(), std::as_bytes(std::span{&message, 1}), identity));
    message.verb = wire::KeeperVerb::deposit;
    message.kind = wire::HeldKind::output;
    message.run = 1;
    message.stream = ring::Stream::merged;
    const std::array<int, 1> deposit = {dead_end.get()};
    REQUIRE(os::send_message(to_keeper->get(), std::as_bytes(std::span{&message, 1}), deposit));
    World::kill_hard(first);
    ::waitpid(first, nullptr, 0);

    world.wait_for_output(1, "up\n");
    const auto state = world.state(1);
    World::kill_hard(state.lifecycle.shim_pid);
    world.wait_for_successor(1, state.lifecycle.shim_pid);
    ::kill(state.lifecycle.main_pid, SIGUSR1);
    const auto end = world.wait_until_finished(1);
    CHECK(end.lifecycle.run == 1);
    CHECK(end.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(end.lifecycle.exit_value == 3);
    CHECK(world.output(1).text == "up\ndown\n");
}

TEST_CASE("a page that is cut short under a live shim costs that process, and the keeper and others nothing", "[keeper][damage]") {
    World world;
    const pid_t shim = world.start(world.launch(1, {"sleep", "1000"}));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.start(world.shell(2, "trap 'exit 4' USR1; echo up; while :; do sleep 1000 & wait; done"));
    world.wait_for_output(2, "up");
    const pid_t keeper = world.keeper_pid();
    REQUIRE(::truncate(world.home().state_page(1).c_str(), 0) == 0);
    World::kill_hard(shim);
    World::kill_hard(main);
    world.wait_for_gone(1, 3);
    CHECK(world.keeper_pid() == keeper);
    const auto other = world.state(2).lifecycle;
    World::kill_hard(other.shim_pid);
    world.wait_for_successor(2, other.shim_pid);
    ::kill(other.main_pid, SIGUSR1);
    CHECK(world.wait_until_finished(2).lifecycle.exit_value == 4);
}
