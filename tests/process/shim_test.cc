#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using test::lines_to;
using test::World;

TEST_CASE("a command's output and exit code are kept", "[shim][run]") {
    World world;
    world.start(world.shell(1, "echo out; echo err >&2; exit 7"));
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(state.lifecycle.exit_value == 7);
    CHECK(state.lifecycle.end_cursor == 8);
    CHECK(world.output(1).text == "out\nerr\n");
}

TEST_CASE("split streams are told apart", "[shim][run]") {
    World world;
    auto launch = world.shell(1, "echo out; echo err >&2");
    launch.streams = "split";
    world.start(launch);
    world.wait_until_drained(1);
    CHECK(world.output(1, ring::Stream::out).text == "out\n");
    CHECK(world.output(1, ring::Stream::err).text == "err\n");
}

TEST_CASE("a signal from outside is told as such", "[shim][exit]") {
    World world;
    world.start(world.shell(1, "kill -SEGV $$"));
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::signaled);
    CHECK(state.lifecycle.exit_value == SIGSEGV);
}

#ifndef __SANITIZE_THREAD__  // it makes of vfork a fork, which the child's errno does not cross
TEST_CASE("a program that is not there is an error of the start, with its errno", "[shim][start]") {
    World world;
    world.start(world.launch(1, {"no-such-program-here"}));
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::not_started);
    CHECK(state.lifecycle.exit_value == ENOENT);
    REQUIRE(!world.events(1).empty());
    CHECK(world.events(1).front().kind == rundir::EventKind::start_failed);
}

TEST_CASE("a missing directory is an error of the start", "[shim][start]") {
    World world;
    auto launch = world.shell(1, "true");
    launch.working_directory = "/no/such/directory";
    world.start(launch);
    const auto state = world.wait_until_drained(1);
    CHECK(state.lifecycle.exit_kind == ring::ExitKind::not_started);
    CHECK(std::string{world.events(1).front().text} == "change directory");
}
#endif

TEST_CASE("a script without #! runs by sh, as a shell would do it", "[shim][start]") {
    World world;
    const std::string script = world.home().run() + "/script";
    FILE* file = std::fopen(script.c_str(), "w");
    REQUIRE(file != nullptr);
    std::fputs("echo \"it ran with $1\"\n", file);
    std::fclose(file);
    ::chmod(script.c_str(), 0755);
    world.start(world.launch(1, {script, "one"}));
    world.wait_until_drained(1);
    CHECK(world.output(1).text == "it ran with one\n");
}

TEST_CASE("the child gets only the descriptors meant, default signals and its mark", "[shim][start]") {
    World world;
    world.start(world.shell(1, "echo $PP_PROCESS; ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status"));
    world.wait_until_drained(1);
    const auto text = world.output(1).text;
    CHECK(text.find("p1#1\n") == 0);
    CHECK(text.find("\n0 1 100 2 3 ") != std::string::npos);  // 3 is of ls itself
    CHECK(text.find("SigBlk:\t0000000000000000") != std::string::npos);
    CHECK_THAT(text, Catch::Matchers::Contains("SigIgn:\t0000000000000000"));
}

TEST_CASE("200,000 lines in a burst, then exit at once: every byte in order", "[shim][capture]") {
    World world;
    const auto wanted = lines_to(200000);
    for (std::uint64_t i = 1; i <= 100; ++i) {
        world.start(world.shell(i, "seq 1 200000"));
        const auto state = world.wait_until_finished(i);
        REQUIRE(state.lifecycle.end_cursor == wanted.size());
        const auto output = world.output(i);
        REQUIRE(output.lost == 0);
        REQUIRE((output.text == wanted));  // not shown, where it differs
        CHECK(state.lines <= 200000);
        CHECK(world.wait_until_drained(i).lines == 200000);
    }
}

TEST_CASE("a two-line command loses nothing, 1,000 times", "[shim][capture]") {
    World world;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        world.start(world.shell(i, "echo one; echo two"));
        const auto state = world.wait_until_finished(i);
        REQUIRE(state.lifecycle.end_cursor == 8);
        REQUIRE(world.output(i).text == "one\ntwo\n");
    }
}

TEST_CASE("an exit is told although a grandchild holds the pipe, and what it says later is kept", "[shim][exit]") {
    World world;
    const std::string fifo = world.home().run() + "/go";
    ::mkfifo(fifo.c_str(), 0600);
    world.start(world.shell(1, "(read line <" + fifo + "; echo late) & echo soon; exit 3"));
    const auto state = world.wait_until_finished(1);
    CHECK(state.lifecycle.exit_value == 3);
    CHECK(world.output(1).text == "soon\n");
    const os::UniqueFd go{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)};
    REQUIRE(::write(go.get(), "\n", 1) == 1);
    world.wait_until_drained(1);
    CHECK(world.output(1).text == "soon\nlate\n");
}

TEST_CASE("200 short children at once all end with their own code", "[shim][exit]") {
    World world;
    for (std::uint64_t i = 1; i <= 200; ++i)
        world.start(world.shell(i, "echo " + std::to_string(i) + "; exit " + std::to_string(i % 256)));
    for (std::uint64_t i = 1; i <= 200; ++i) {
        const auto state = world.wait_until_drained(i);
        REQUIRE(state.lifecycle.exit_value == static_cast<int>(i % 256));
        REQUIRE(world.output(i).text == std::to_string(i) + "\n");
    }
}
