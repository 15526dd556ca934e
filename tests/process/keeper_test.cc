#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "protocol/os/proc.h"
#include "protocol/os/unix_socket.h"
#include "tests/support/fake_hub.h"
#include "tests/support/world.h"

using namespace pp;
using test::FakeHub;
using test::World;

namespace {

constexpr std::uint32_t kHeldOfCat = 3;  // its output, its stdin, and its pidfd

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

rundir::Launch cat(const World& world, std::uint64_t process) {
    auto launch = world.launch(process, {"cat"});
    launch.stdin_mode = "pipe";
    return launch;
}

/// No shim comes up as long as there is a directory in the place of its socket.
void break_shims(const World& world, std::uint64_t process) {
    const auto path = world.home().shim_socket(process);
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
}

wire::Input input_of(const std::string& data) {
    wire::Input input;
    input.run = 1;
    input.data = data;
    input.eof = true;
    return input;
}

rlim_t lowest_limit_of(pid_t pid) {
    rlim_t highest = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
        highest = std::max<rlim_t>(highest, std::stoul(entry.path().filename()));
    return highest + 1;
}

void limit_descriptors(pid_t pid, rlim_t soft) {
    rlimit limit{};
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
    limit.rlim_cur = soft;
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

/// One that spins never is.
void wait_until_asleep(pid_t pid) {
    while (os::find_proc_stat(pid)->state != 'S') ::sched_yield();
}

}  // namespace

TEST_CASE("a keeper that a shim starts is in nobody's tree: a stop of the process leaves it alone", "[keeper][tree]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(world.launch(1, {"sleep", "1000"}));
    hub.welcome(1);
    world.wait_until_running(1);
    const pid_t old = world.keeper_pid();
    world.kill_keeper();
    const pid_t keeper = world.wait_for_keeper(old);
    world.wait_until_kept(1, 2);
    CHECK(os::find_proc_stat(keeper)->parent != shim);
    wire::Stop stop;
    stop.run = 1;
    const auto done = hub.ask(1, stop);
    CHECK(done.ok);
    CHECK(done.count == 0);
    CHECK(lives(keeper));
    CHECK(world.state(1).lifecycle.descendants == 0);
}

TEST_CASE("a keeper that a program under pp brought into being is not in its tree", "[shim][tree][stop]") {
    World world;
    FakeHub hub{world.home()};
    const std::string inner = world.home().run() + "/inner";
    const std::string program = std::string{PP_BIN_DIR} + "/pp-keeper";
    world.start(world.shell(1, "(PP_HOME=" + inner + " setsid env -u PP_PROCESS -u PP_PROCESS_HOME " + program + " >/dev/null 2>&1 100>&- & echo pid $!); "
                               "exec sleep 1000"));
    hub.welcome(1);
    world.wait_for_output(1, "pid ");
    test::DirectoryWatch made{world.home().run()};
    made.wait_for("inner");
    const auto text = world.output(1).text;
    const pid_t keeper = std::stoi(text.substr(4));
    wire::Stop stop;
    stop.run = 1;
    const auto done = hub.ask(1, stop);
    CHECK(done.ok);
    CHECK(done.count == 0);
    CHECK(lives(keeper));
    World::kill_hard(keeper);
}

TEST_CASE("64 shims lose their keeper and have the next one, each; then they are killed, and no child notices",
          "[keeper][kill]") {
    constexpr std::uint64_t kCount = 64;
    World world;
    std::vector<pid_t> mains;
    std::vector<pid_t> shims;
    for (std::uint64_t i = 1; i <= kCount; ++i) shims.push_back(world.start(cat(world, i)));
    for (std::uint64_t i = 1; i <= kCount; ++i) mains.push_back(world.wait_until_running(i).lifecycle.main_pid);
    const pid_t old = world.keeper_pid();
    world.kill_keeper();
    world.wait_for_keeper(old);
    world.wait_until_kept(kCount, kCount * kHeldOfCat);
    for (const pid_t shim : shims) World::kill_hard(shim);
    for (std::uint64_t i = 1; i <= kCount; ++i) {
        const auto state = world.wait_for_successor(i, shims[i - 1]);
        CHECK(state.lifecycle.main_pid == mains[i - 1]);
        CHECK(state.lifecycle.state == ring::LifeState::running);
    }
    world.wait_until_kept(kCount, kCount * kHeldOfCat);
    for (const pid_t main : mains) CHECK(lives(main));
}

TEST_CASE("a shim that fails to come up three times is given up: the child lives on, and what is held stays held",
          "[keeper][kill]") {
    World world;
    FakeHub hub{world.home()};
    const pid_t shim = world.start(cat(world, 1));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.wait_until_kept(1, kHeldOfCat);
    break_shims(world, 1);
    World::kill_hard(shim);
    world.wait_for_gone(1, 3);
    CHECK(lives(main));
    world.wait_until_kept(0, kHeldOfCat);
    const auto log = world.keeper_log();
    CHECK_THAT(log, Catch::Matchers::Contains("p1: shim " + std::to_string(shim) + " was ended by signal 9"));
    CHECK_THAT(log, Catch::Matchers::Contains("has ended with code 71"));
    CHECK_THAT(log, Catch::Matchers::Contains("p1: given up: its shim failed to come up 3 times; 3 descriptors stay held"));

    REQUIRE(::rmdir(world.home().shim_socket(1).c_str()) == 0);
    world.ensure_shim(1);
    world.wait_for_successor(1, shim);
    hub.welcome(1);
    CHECK(hub.ask(1, input_of("still here\n")).ok);
    CHECK(world.wait_until_drained(1).lifecycle.exit_value == 0);
    CHECK(world.output(1).text == "still here\n");
}

TEST_CASE("a process that is cleared just when its shim was killed leaves nothing in the run directory", "[keeper][kill]") {
    World world;
    const pid_t shim = world.start(cat(world, 1));
    world.wait_until_running(1);
    world.wait_until_kept(1, kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    ::kill(keeper, SIGSTOP);  // it hears of the death when all is removed
    World::kill_hard(shim);
    std::filesystem::remove_all(world.home().process(1));
    for (const auto& path : {world.home().state_page(1), world.home().shim_socket(1)}) std::filesystem::remove(path);
    ::kill(keeper, SIGCONT);
    world.wait_for_gone(1, 3);
    CHECK_FALSE(std::filesystem::exists(world.home().state_page(1)));
    CHECK_FALSE(std::filesystem::exists(world.home().shim_socket(1)));
}

TEST_CASE("a keeper forgets a process whose shim never came up, and ends when nobody needs it", "[keeper]") {
    World world;
    world.spawn(7);  // there is no launch file
    world.wait_for_gone(7, 3);
    const auto keeper = os::PidFd::find(world.keeper_pid());
    world.leave_keeper();
    keeper->wait_for_end();
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("ends: nobody needs it"));
}

TEST_CASE("a keeper at its limit of descriptors accepts nobody, sleeps, and has enough for a successor", "[keeper][limit]") {
    World world;
    const pid_t shim = world.start(cat(world, 1));
    world.start(cat(world, 2));
    const pid_t main = world.wait_until_running(1).lifecycle.main_pid;
    world.wait_until_running(2);
    world.wait_until_kept(2, 2 * kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    limit_descriptors(keeper, lowest_limit_of(keeper));
    std::vector<os::UniqueFd> callers;
    for (int i = 0; i < 20; ++i) callers.push_back(std::move(*os::find_seqpacket(world.home().keeper_socket())));
    wire::KeeperMessage status;
    status.verb = wire::KeeperVerb::status;
    for (const auto& caller : callers) os::send_message(caller.get(), std::as_bytes(std::span{&status, 1}));
    wait_until_asleep(keeper);
    CHECK_THAT(world.keeper_log(), Catch::Matchers::Contains("Too many open files"));

    World::kill_hard(shim);
    const auto state = world.wait_for_successor(1, shim);
    CHECK(state.lifecycle.main_pid == main);
    world.wait_until_kept(2, 2 * kHeldOfCat);
    CHECK(lives(main));

    ::kill(world.state(2).lifecycle.main_pid, SIGKILL);  // what was held for it makes room; then each caller that goes
    world.wait_until_drained(2);
    for (auto& caller : callers) {
        wire::KeeperMessage reply;
        os::ReceiveEnd end{};
        while (!os::receive_message(caller.get(), std::as_writable_bytes(std::span{&reply, 1}), end)) {
            REQUIRE(end == os::ReceiveEnd::nothing_waits);
            pollfd polled{caller.get(), POLLIN, 0};
            ::poll(&polled, 1, -1);
        }
        caller.reset();
    }
}

TEST_CASE("a shim whose deposits found no room in the keeper brings them when there is", "[keeper][limit]") {
    World world;
    world.start(cat(world, 1));
    world.wait_until_running(1);
    world.wait_until_kept(1, kHeldOfCat);
    const pid_t keeper = world.keeper_pid();
    std::vector<os::UniqueFd> callers;  // a shim has the keeper's limit, and needs numbers above 100 for its child
    for (int i = 0; i < 128; ++i) callers.push_back(std::move(*os::find_seqpacket(world.home().keeper_socket())));
    world.wait_until_kept(1, kHeldOfCat);
    const rlim_t full = lowest_limit_of(keeper);
    limit_descriptors(keeper, full + 2);  // the shim comes up, and nothing more
    world.start(cat(world, 2));
    world.wait_until_running(2);
    limit_descriptors(keeper, full + 100);
    world.wait_until_kept(2, 2 * kHeldOfCat);
}
