#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "protocol/os/proc.h"
#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using test::lines_to;
using test::World;

TEST_CASE("a shim killed in the middle of a burst loses no byte, and its successor tells the exit", "[shim][kill]") {
    World world;
    auto launch = world.shell(1, "trap 'exit 9' USR1; while :; do echo $((++i)); done");  // writes until it is told
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
