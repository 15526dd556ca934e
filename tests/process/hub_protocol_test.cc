#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/fake_hub.h"
#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using rundir::EventKind;
using test::FakeHub;
using test::World;

namespace {

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

wire::Stop stop_of(std::uint32_t run, std::uint32_t grace_ms = 5000) {
    wire::Stop stop;
    stop.run = run;
    stop.grace_ms = grace_ms;
    return stop;
}

/// The number behind "name " in the output.
pid_t pid_in(const std::string& text, const std::string& name) {
    const auto at = text.find(name + " ");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + name.size() + 1));
}

}  // namespace

TEST_CASE("a hub hears of start, exit, the tree's end and the end of output, in order", "[shim][events]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "echo hello; exit 3"));
    hub.welcome(1);
    hub.wait_for(1, EventKind::exited);
    hub.release(1);
    std::vector<EventKind> kinds;
    for (const auto& event : hub.events()) {
        kinds.push_back(event.kind);
        CHECK(event.number == kinds.size());
    }
    REQUIRE(kinds.size() == 4);
    CHECK(kinds[0] == EventKind::started);
    CHECK(kinds[1] == EventKind::exited);
    CHECK(hub.events()[1].exit_value == 3);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 3);
}

TEST_CASE("a stop ends main and tells that it was asked to", "[shim][stop]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    hub.wait_for(1, EventKind::started);
    const auto done = hub.ask(1, stop_of(1));
    CHECK(done.ok);
    CHECK(done.count == 0);
    const auto exited = hub.wait_for(1, EventKind::exited);
    CHECK(exited.exit_kind == ring::ExitKind::signaled);
    CHECK(exited.exit_value == SIGTERM);
    CHECK(exited.stop_requested == 1);
}

TEST_CASE("a child that ignores TERM is killed when its grace ends", "[shim][stop]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "trap '' TERM; echo deaf; while :; do sleep 1000; done"));
    world.wait_for_output(1, "deaf");
    hub.welcome(1);
    const auto done = hub.ask(1, stop_of(1, 50));
    CHECK(done.ok);
    CHECK(hub.wait_for(1, EventKind::exited).exit_value == SIGKILL);
    CHECK(done.count == 0);
}

TEST_CASE("a second stop without grace cuts the first one's grace short", "[shim][stop]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "trap '' TERM; echo deaf; while :; do sleep 1000; done"));
    world.wait_for_output(1, "deaf");
    hub.welcome(1);
    const auto first = hub.send(1, stop_of(1, 3'600'000));
    CHECK(hub.ask(1, stop_of(1, 0)).ok);
    CHECK(hub.wait_done(first).ok);
}

TEST_CASE("a stop ends grandchildren too, those in a session of their own included", "[shim][stop][tree]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "setsid sleep 1001 & echo a $!; (setsid bash -c 'sleep 1002 & echo b $!; wait' &) ; "
                               "sleep 1003 & echo c $!; wait"));
    hub.welcome(1);
    world.wait_until(1, [&](const auto&) {
        const auto text = world.output(1).text;
        return text.find("a ") != text.npos && text.find("b ") != text.npos && text.find("c ") != text.npos;
    });
    const auto text = world.output(1).text;
    REQUIRE(lives(pid_in(text, "b")));
    const auto done = hub.ask(1, stop_of(1));
    CHECK(done.ok);
    CHECK(done.count == 0);
    for (const char* name : {"a", "b", "c"}) CHECK_FALSE(lives(pid_in(text, name)));
}

TEST_CASE("descendants that outlive main are counted, and a stop still finds them", "[shim][stop][tree]") {
    World world;
    FakeHub hub{world.home()};
    // a daemon that forks twice and lets go of the pipe
    world.start(world.shell(1, "(setsid sleep 1004 >/dev/null 2>&1 100>&- &) ; exit 0"));
    hub.welcome(1);
    const auto exited = hub.wait_for(1, EventKind::exited);
    CHECK(exited.descendants == 1);
    CHECK(world.state(1).lifecycle.state == ring::LifeState::finished);
    const auto done = hub.ask(1, stop_of(1));
    CHECK(done.ok);
    CHECK(done.count == 0);
    CHECK(world.state(1).lifecycle.descendants == 0);
}

TEST_CASE("descendants are found after their shim was killed", "[shim][kill][tree]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(world.shell(1, "(setsid sleep 1005 &) ; (setsid sleep 1006 &); exit 0"));
    hub.welcome(1);
    hub.wait_for(1, EventKind::exited);
    World::kill_hard(shim);
    world.wait_for_successor(1, shim);
    hub.welcome(1, 1);
    CHECK(world.state(1).lifecycle.descendants == 2);
    CHECK(hub.ask(1, stop_of(1)).count == 0);
}

TEST_CASE("descendants are found after their shim and the keeper were killed", "[shim][keeper][kill][tree]") {
    World world;
    FakeHub hub{world.home()};
    pid_t shim = world.start(world.shell(1, "(setsid sleep 1007 &) ; (setsid sleep 1008 &); exit 0"));
    hub.welcome(1);
    hub.wait_for(1, EventKind::exited);
    World::kill_hard(shim);  // they are the keeper's now
    shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
    ::kill(world.keeper_pid(), SIGSTOP);  // lest it starts a successor before it is killed
    World::kill_hard(shim);
    world.kill_keeper();  // and now nobody's of pp
    world.ensure_shim(1);
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    CHECK(world.state(1).lifecycle.descendants == 2);
    CHECK(hub.ask(1, stop_of(1)).count == 0);
}

TEST_CASE("a stop outlives the shim that was at it: its grace goes on", "[shim][kill][stop]") {
    World world;
    FakeHub hub{world.home()};
    const std::string fifo = world.home().run() + "/go";
    ::mkfifo(fifo.c_str(), 0600);
    const pid_t shim = world.start(world.shell(1, "trap 'echo leaving; read line <" + fifo + "; exit 7' TERM; echo ready; "
                                                  "while :; do sleep 1000 & wait; done"));
    hub.welcome(1);
    world.wait_for_output(1, "ready");
    hub.send(1, stop_of(1, 3'600'000));
    world.wait_for_output(1, "leaving");
    World::kill_hard(shim);
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    const auto again = hub.send(1, stop_of(1, 1));  // as a hub repeats it; the grace is the first one's
    const os::UniqueFd go{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)};
    REQUIRE(::write(go.get(), "\n", 1) == 1);
    CHECK(hub.wait_done(again).count == 0);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 7);
    CHECK(world.output(1).text == "ready\nleaving\n");
}

TEST_CASE("a start that comes while a stop clears the tree begins when that is through", "[shim][stop]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "[ $PP_PROCESS = p1#2 ] && exit 4; (trap '' TERM; echo deaf; exec sleep 1001) & exec sleep 1002"));
    hub.welcome(1);
    world.wait_for_output(1, "deaf");
    const auto stopped = hub.send(1, stop_of(1, 300));
    hub.wait_for(1, EventKind::exited);
    wire::StartRun start;
    start.run = 2;
    const auto begun = hub.ask(1, start);
    CHECK(begun.ok);
    CHECK(begun.count == 2);
    CHECK(hub.wait_done(stopped).count == 0);
    CHECK(world.wait_until_finished(1, 2).lifecycle.exit_value == 4);
}

TEST_CASE("restarts right behind a succession are not told the end of the run before", "[shim][kill][restart]") {
    World world;
    FakeHub hub{world.home()};
    pid_t shim = world.start(world.launch(1, {"sleep", "1000"}));
    for (std::uint32_t run = 1; run <= 40; ++run) {
        world.wait_until_running(1, run);
        World::kill_hard(shim);
        shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
        hub.welcome(1);
        wire::StartRun start;
        start.run = run + 1;
        start.replace = true;
        REQUIRE(hub.ask(1, start).ok);
    }
    hub.ask(1, stop_of(41));
    for (const auto& event : hub.events()) {
        if (event.kind != EventKind::exited) continue;
        CHECK(event.exit_kind == ring::ExitKind::signaled);
        CHECK(event.exit_value == SIGTERM);
    }
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == SIGTERM);
}

TEST_CASE("a command that means another run is refused", "[shim][stop]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    const auto done = hub.ask(1, stop_of(2));
    CHECK_FALSE(done.ok);
    CHECK_THAT(done.error, Catch::Matchers::Contains("run 2 was meant, but the newest is run 1"));
    CHECK(world.state(1).lifecycle.state == ring::LifeState::running);
}

TEST_CASE("a restart is a new run with a new pid on the same ring, and never passes for finished", "[shim][restart]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "echo run; exec sleep 1000"));
    hub.welcome(1);
    world.wait_for_output(1, "run");
    const auto before = world.state(1).lifecycle;
    wire::StartRun start;
    start.run = 2;
    start.replace = true;
    const auto done = hub.ask(1, start);
    CHECK(done.ok);
    const auto after = world.state(1).lifecycle;
    CHECK(after.run == 2);
    CHECK(after.state == ring::LifeState::running);
    CHECK(after.main_pid != before.main_pid);
    CHECK(after.restarts == 1);
    CHECK(after.start_cursor == 4);
    CHECK(hub.ask(1, start).ok);  // asked again, as a hub does that lost the answer
    CHECK(world.state(1).lifecycle.run == 2);
}

TEST_CASE("a start while main lives is refused unless it replaces", "[shim][restart]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    wire::StartRun start;
    start.run = 2;
    CHECK_THAT(hub.ask(1, start).error, Catch::Matchers::Contains("running already"));
}

TEST_CASE("a start that crosses the shim's bye is served", "[shim][restart]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "echo once"));
    hub.welcome(1);
    hub.wait_for(1, EventKind::exited);
    wire::StartRun start;
    start.run = 2;
    CHECK(hub.ask(1, start).ok);
    hub.wait_for(1, EventKind::exited, 2);
    hub.release(1);
    world.wait_until_drained(1);
    CHECK(world.output(1).text == "once\nonce\n");
}

TEST_CASE("input reaches the child, and goes on reaching it after its shim was killed", "[shim][input][kill]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.launch(1, {"cat"});
    launch.stdin_mode = "pipe";
    const pid_t shim = world.start(launch);
    hub.welcome(1);
    hub.wait_for(1, EventKind::started);
    wire::Input input;
    input.run = 1;
    input.data = "one\n";
    CHECK(hub.ask(1, input).count == 4);
    world.wait_for_output(1, "one\n");
    World::kill_hard(shim);
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    input.data = "two\n";
    input.eof = true;
    CHECK(hub.ask(1, input).ok);
    CHECK(hub.wait_for(1, EventKind::exited).exit_value == 0);
    CHECK(world.output(1).text == "one\ntwo\n");
}

TEST_CASE("a child that does not read its stdin keeps the sender waiting, never the shim", "[shim][input]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.shell(1, "trap 'head -c 300000 | wc -c; exit 0' USR1; echo up; while :; do sleep 1000 & wait $!; done");
    launch.stdin_mode = "pipe";
    world.start(launch);
    hub.welcome(1);
    world.wait_for_output(1, "up");
    wire::Input input;
    input.run = 1;
    input.data = std::string(300000, 'x');
    const auto first = hub.ask(1, input);
    CHECK(first.ok);
    CHECK(first.count == 65536);
    input.data.resize(300000 - 65536);
    const auto second = hub.send(1, input);
    wire::Ping ping;
    ping.token = 0;
    ::kill(world.state(1).lifecycle.main_pid, SIGUSR1);
    auto taken = hub.wait_done(second).count;
    CHECK(taken > 0);
    while (taken < 300000 - 65536) {
        input.data.resize(300000 - 65536 - taken);
        const auto more = hub.ask(1, input);
        REQUIRE(more.ok);
        taken += more.count;
    }
    hub.wait_for(1, EventKind::exited);
    CHECK(world.output(1).text == "up\n300000\n");
}

TEST_CASE("input that is sent again to a successor reaches the child once, whatever the dead shim had done of it",
          "[shim][input][kill]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.launch(1, {"cat"});
    launch.stdin_mode = "pipe";
    world.start(launch);
    hub.welcome(1);
    const std::string all = test::lines_to(60000);
    pid_t shim = world.wait_until_running(1).lifecycle.shim_pid;
    std::uint64_t id = 1000;
    int kills = 0;
    for (std::size_t at = 0; at < all.size(); ++id) {
        wire::Input input;
        input.run = 1;
        input.id = id;
        input.data = all.substr(at, 7001);
        auto token = hub.send(1, input);
        if (id % 3 == 0) {  // at any moment of it: before it was read, in the middle, or when its answer was on its way
            World::kill_hard(shim);
            shim = world.wait_for_successor(1, shim).lifecycle.shim_pid;
            ++kills;
            hub.welcome(1);
            token = hub.send(1, input);
        }
        const auto done = hub.wait_done(token);
        REQUIRE(done.ok);
        REQUIRE(done.count > 0);
        at += done.count;
    }
    wire::Input end;
    end.run = 1;
    end.eof = true;
    CHECK(hub.ask(1, end).ok);
    world.wait_until_drained(1);
    CHECK(kills >= 15);
    CHECK(world.output(1).text == all);
}

TEST_CASE("what waits for room in stdin can be taken back, and then never arrives", "[shim][input]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.shell(1, "trap 'cat | wc -c; exit' USR1; echo up; while :; do sleep 1000 & wait; done");
    launch.stdin_mode = "pipe";
    world.start(launch);
    hub.welcome(1);
    world.wait_for_output(1, "up");
    wire::Input input;
    input.run = 1;
    input.id = 1;
    input.data = std::string(70000, 'x');
    CHECK(hub.ask(1, input).count == 65536);
    input.id = 2;
    const auto token = hub.send(1, input);
    wire::CancelInput cancel;
    cancel.input = token;
    hub.tell(1, cancel);
    const auto done = hub.wait_done(token);
    CHECK(done.ok);
    CHECK(done.count == 0);
    ::kill(world.state(1).lifecycle.main_pid, SIGUSR1);
    wire::Input end;
    end.run = 1;
    end.eof = true;
    CHECK(hub.ask(1, end).ok);
    world.wait_for_output(1, "65536\n");
    CHECK(world.output(1).text == "up\n65536\n");
}

TEST_CASE("a hundred short inputs are taken from a child that does not read yet", "[shim][input]") {
    World world;
    FakeHub hub{world.home()};
    auto launch = world.shell(1, "trap 'cat | wc -l; exit' USR1; echo up; while :; do sleep 1000 & wait; done");
    launch.stdin_mode = "pipe";
    world.start(launch);
    hub.welcome(1);
    world.wait_for_output(1, "up");
    for (std::uint64_t i = 1; i <= 100; ++i) {
        wire::Input input;
        input.run = 1;
        input.id = i;
        input.data = "y\n";
        input.eof = i == 100;
        REQUIRE(hub.ask(1, input).count == 2);
    }
    ::kill(world.state(1).lifecycle.main_pid, SIGUSR1);
    world.wait_for_output(1, "100\n");
    CHECK(world.output(1).text == "up\n100\n");
}

TEST_CASE("input to the null device is an error that says what to do", "[shim][input]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    wire::Input input;
    input.run = 1;
    input.data = "x";
    CHECK_THAT(hub.ask(1, input).error, Catch::Matchers::Contains("stdin \"pipe\""));
}

TEST_CASE("a hub that comes after the shims kicks them, and hears all that happened before, in order", "[shim][events]") {
    World world;
    world.start(world.shell(1, "echo one; read x < /dev/null; exec sleep 1000"));
    world.wait_for_output(1, "one");
    FakeHub hub{world.home()};
    hub.kick(1);
    hub.welcome(1);
    CHECK(hub.wait_for(1, EventKind::started).number == 1);
    CHECK(hub.ask(1, stop_of(1)).ok);
}

TEST_CASE("garbage from a hub is dropped and disturbs nothing", "[shim][wire]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    wire::Stop stop = stop_of(1);
    for (const char* garbage : {"", "x", "\x81\xa4type\xcd\xff\xff", "\xdf\xff\xff\xff\xff"}) hub.send_garbage(1, garbage);
    CHECK(hub.ask(1, stop).ok);
}

TEST_CASE("output beyond a watched cursor is told once", "[shim][watch]") {
    World world;
    FakeHub hub{world.home()};
    world.start(world.shell(1, "echo now; exec sleep 1000"));
    hub.welcome(1);
    wire::Watch watch;
    watch.cursor = 0;
    hub.watch(1, watch);
    CHECK(hub.wait_output(1) == 4);
}
