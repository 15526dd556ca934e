#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/support/lines.h"
#include "tests/support/fake_hub.h"
#include "tests/support/world.h"

using namespace pp;
using rundir::EventKind;
using test::FakeHub;
using test::lines_to;
using test::World;

namespace {

rundir::Launch on_terminal(const World& world, std::uint64_t process, const std::string& script) {
    auto launch = world.shell(process, script);
    launch.mode = "pty";
    return launch;
}

wire::Input input_of(const std::string& data, bool eof = false) {
    wire::Input input;
    input.run = 1;
    input.data = data;
    input.eof = eof;
    return input;
}

wire::Resize resize_to(std::uint32_t rows, std::uint32_t columns) {
    wire::Resize resize;
    resize.run = 1;
    resize.rows = rows;
    resize.columns = columns;
    return resize;
}

}  // namespace

TEST_CASE("a child on a terminal has it as its controlling one, in the size asked for", "[shim][pty]") {
    World world;
    auto launch = on_terminal(world, 1, "test -t 0 && test -t 1 && test -t 2 && echo three; stty size; "
                                        "echo to the terminal >/dev/tty; ls /proc/self/fd | tr '\\n' ' '; echo; stty -a");
    launch.rows = 30;
    launch.columns = 100;
    world.start(launch);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 0);
    const auto text = world.output(1).text;
    CHECK(text.find("three\r\n30 100\r\nto the terminal\r\n0 1 2 3 \r\n") == 0);  // 3 is of ls itself
    CHECK_THAT(text, Catch::Matchers::Contains("iutf8\r\n") && !Catch::Matchers::Contains("-iutf8"));
    CHECK_THAT(text, Catch::Matchers::Contains(" icanon "));
}

TEST_CASE("a command that ends at once loses nothing on a terminal, 1,000 times", "[shim][pty]") {
    World world;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        world.start(on_terminal(world, i, "echo one; echo two"));
        world.wait_until_finished(i);
        REQUIRE(world.output(i).text == "one\r\ntwo\r\n");
    }
}

TEST_CASE("200,000 lines on a terminal: every byte in order", "[shim][pty]") {
    World world;
    world.start(on_terminal(world, 1, "seq 1 200000"));
    world.wait_until_finished(1);
    const auto output = world.output(1);
    CHECK(output.lost == 0);
    CHECK(output.text == lines_to(200000, "\r\n"));
}

TEST_CASE("a shim killed in the middle of a terminal's burst loses no byte", "[shim][pty][kill]") {
    World world;
    pid_t shim = world.start(on_terminal(world, 1, "seq 1 200000; exit 9"));
    const auto main = world.wait_until_running(1).lifecycle.main_pid;
    for (int kills = 0; kills < 20; ++kills) {
        if (world.state(1).lifecycle.state == ring::LifeState::finished) break;
        World::kill_hard(shim);
        shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
    }
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(state.lifecycle.exit_value == 9);
    CHECK(world.output(1).text == lines_to(200000, "\r\n"));
}

TEST_CASE("a terminal takes input, after a succession too, and its end", "[shim][pty][input][kill]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(on_terminal(world, 1, "stty -echo; echo ready; while read line; do echo got $line; done; echo end"));
    hub.welcome(1);
    world.wait_for_output(1, "ready");
    CHECK(hub.ask(1, input_of("one\n")).count == 4);
    world.wait_for_output(1, "got one\r\n");
    World::kill_hard(shim);
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    CHECK(hub.ask(1, input_of("two\n")).ok);
    world.wait_for_output(1, "got two\r\n");
    CHECK(hub.ask(1, input_of("", true)).ok);
    CHECK(world.wait_until_finished(1).lifecycle.exit_value == 0);
    CHECK(world.output(1).text == "ready\r\ngot one\r\ngot two\r\nend\r\n");
}

TEST_CASE("a resize reaches the child, and is told", "[shim][pty]") {
    World world;
    FakeHub hub{world.home()};
    world.start(on_terminal(world, 1, "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 1000 & wait; done"));
    hub.welcome(1);
    world.wait_for_output(1, "ready");
    CHECK(hub.ask(1, resize_to(50, 132)).ok);
    CHECK(std::string{hub.wait_for(1, EventKind::resized).text} == "50x132");
    world.wait_until_finished(1);
    CHECK(world.output(1).text == "ready\r\n50 132\r\n");
}

TEST_CASE("a pipe cannot be resized", "[shim][pty]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    hub.wait_for(1, EventKind::started);
    const auto done = hub.ask(1, resize_to(50, 132));
    CHECK_FALSE(done.ok);
    CHECK_THAT(done.error, Catch::Matchers::Contains("pty"));
}

TEST_CASE("what a terminal's child leaves in the background is captured until it ends", "[shim][pty][exit]") {
    World world;
    FakeHub hub{world.home()};
    world.start(on_terminal(world, 1, "(trap '' HUP; trap 'echo late; exit' USR1; echo up; while :; do sleep 1000 & wait; done) & "
                                      "read line; exit 3"));
    hub.welcome(1);
    world.wait_for_output(1, "up");
    CHECK(hub.ask(1, input_of("go\n")).ok);
    const auto exited = hub.wait_for(1, EventKind::exited);
    CHECK(exited.exit_value == 3);
    REQUIRE(exited.descendants >= 1);
    wire::Stop stop;
    stop.run = 1;
    CHECK(hub.ask(1, stop).count == 0);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 3);
}

TEST_CASE("a program that is not there fails to start on a terminal too", "[shim][pty][start]") {
    World world;
    auto launch = world.launch(1, {"no-such-program-here"});
    launch.mode = "pty";
    world.start(launch);
#ifndef __SANITIZE_THREAD__
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == ENOENT);
#endif
}
