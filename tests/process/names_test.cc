// The run directory is wiped, or a part of it, under shims and keeper that live.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>

#include "protocol/os/proc.h"
#include "tests/support/checkpoint.h"
#include "tests/support/fake_hub.h"
#include "tests/support/late_reader.h"
#include "tests/support/lines.h"
#include "tests/support/world.h"

using namespace pp;
using test::DirectoryWatch;
using test::FakeHub;
using test::World;

namespace {

constexpr std::uint32_t kHeldOfCat = 3;  // its output, its stdin, and its pidfd

rundir::Launch cat(const World& world, std::uint64_t process) {
    auto launch = world.launch(process, {"cat"});
    launch.stdin_mode = "pipe";
    return launch;
}

wire::Input input_of(const std::string& data) {
    wire::Input input;
    input.run = 1;
    input.data = data;
    return input;
}

void wipe(const World& world) {
    for (const auto& entry : std::filesystem::directory_iterator(world.home().run()))
        std::filesystem::remove_all(entry.path());
}

}  // namespace

TEST_CASE("a shim that is told puts its page and socket back: the run, the log and its deposits go on", "[shim][names]") {
    World world;
    std::optional<FakeHub> hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    hub->welcome(1);
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    CHECK(hub->ask(1, input_of("before\n")).ok);
    world.wait_for_output(1, "before\n");
    world.wait_until_kept(1, kHeldOfCat);
    hub.reset();
    wipe(world);
    hub.emplace(world.home());  // a new one, that the shim has not heard of
    ::kill(shim, SIGHUP);
    hub->welcome(1);  // it greets when all is there again
    const auto state = world.state(1);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(state.lifecycle.shim_pid == shim);
    CHECK(state.tail == 7);
    CHECK(std::filesystem::is_socket(world.home().shim_socket(1)));
    CHECK(hub->ask(1, input_of("after\n")).ok);
    world.wait_for_output(1, "after\n");
    CHECK(world.output(1).text == "before\nafter\n");
}

TEST_CASE("a follower that sleeps on the old page is woken by the new one", "[shim][names]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    hub.welcome(1);
    world.wait_until_running(1);
    const auto page = ring::StatePage::open(world.home().state_page(1), os::MappedFile::Access::read);
    const auto seen = page->wake.load();
    std::filesystem::remove(world.home().state_page(1));
    CHECK_FALSE(page.is_at(world.home().state_page(1)));
    ::kill(shim, SIGHUP);
    hub.welcome(1);
    CHECK(page->wake.load() != seen);
    CHECK_FALSE(page.is_at(world.home().state_page(1)));
    CHECK(world.state(1).lifecycle.run == 1);
}

TEST_CASE("a shim that is told though nothing is missing goes on as it was", "[shim][names]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    hub.welcome(1);
    world.wait_until_running(1);
    const auto page = ring::StatePage::open(world.home().state_page(1), os::MappedFile::Access::read);
    for (int i = 0; i < 3; ++i) {
        ::kill(shim, SIGHUP);
        hub.welcome(1);
    }
    CHECK(page.is_at(world.home().state_page(1)));
    CHECK(hub.ask(1, input_of("x\n")).ok);
}

TEST_CASE("a shim killed after the wipe is succeeded on its page, which the keeper puts back: no byte is lost",
          "[shim][keeper][names][kill]") {
    World world;
    const pid_t shim = world.start(world.shell(1, "seq 1 200000; trap 'kill $!; exit 6' USR1; echo ready; while :; do sleep 1000 & wait; done"));
    world.wait_for_output(1, "ready\n");
    const pid_t main = world.state(1).lifecycle.main_pid;
    world.wait_until_kept(1, 2);
    std::filesystem::remove(world.home().state_page(1));
    World::kill_hard(shim);
    DirectoryWatch{world.home().run()}.wait_for("p1.state");
    const auto state = world.wait_for_successor(1, shim);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(state.lifecycle.run == 1);
    ::kill(main, SIGUSR1);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 6);
    CHECK(world.output(1).text == test::lines_to(200000) + "ready\n");
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("p1: its state page was gone, and is there again"));
}

TEST_CASE("a keeper whose lock was removed takes its place again when another one is started, and keeps its own",
          "[keeper][names]") {
    World world;
    const pid_t shim = world.start(cat(world, 1));
    world.wait_until_running(1);
    world.wait_until_kept(1, kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    world.leave_keeper();
    for (const char* name : {"keeper.lock", "keeper.sock"}) std::filesystem::remove(world.home().run() + "/" + name);
    world.connect_keeper();  // starts one, which finds the other
    CHECK(world.keeper_pid() == keeper);
    world.wait_until_kept(1, kHeldOfCat);
    World::kill_hard(shim);
    CHECK(world.wait_for_successor(1, shim).lifecycle.state == ring::LifeState::running);
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("listens again in"));
}

TEST_CASE("all of pp is dead and its page gone: a new shim finds main, its pipes and its run by what is left",
          "[shim][keeper][names][kill]") {
    World world;
    FakeHub hub{world.home()};
    const test::LateReader reader{world.home().state() + "/look"};
    auto launch = world.shell(1, "echo before; " + reader.script() + "; exit 4");
    launch.stdin_mode = "pipe";
    const pid_t shim = world.start(launch);
    hub.welcome(1);
    world.wait_for_output(1, "before\n");
    const pid_t main = world.state(1).lifecycle.main_pid;
    test::wait_for_checkpoint(world.home(), 1, 7);
    ::kill(world.keeper_pid(), SIGSTOP);  // lest it starts a successor before it is killed
    World::kill_hard(shim);
    world.kill_keeper();
    std::filesystem::remove(world.home().state_page(1));
    world.ensure_shim(1);
    DirectoryWatch{world.home().run()}.wait_for("p1.state");
    hub.welcome(1);
    const auto state = world.state(1);
    CHECK(state.lifecycle.run == 1);
    CHECK(state.lifecycle.main_pid == main);
    CHECK(hub.ask(1, input_of("it\n")).ok);
    reader.look_again();
    const auto end = world.wait_until_drained(1);
    CHECK(end.lifecycle.exit_kind == ring::ExitKind::exited);
    CHECK(end.lifecycle.exit_value == 4);
    CHECK(world.output(1).text == "before\nit\n");
}
