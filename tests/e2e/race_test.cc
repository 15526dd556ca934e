#include <poll.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "protocol/wire/channel.h"
#include "protocol/wire/codec.h"
#include "protocol/wire/control_messages.h"
#include "tests/support/installation.h"

using namespace pp;
using test::Installation;
using test::Running;

namespace {

std::string executable_of(pid_t pid) { return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe"); }

}  // namespace

TEST_CASE("ten clients race to start the hub: there is one, and all are served", "[e2e][race]") {
    Installation pp;
    std::vector<std::unique_ptr<Running>> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(pp.start_pp({"run", "echo", std::to_string(i)}));
    for (int i = 0; i < 10; ++i) {
        const auto ran = clients[static_cast<std::size_t>(i)]->wait();
        CAPTURE(ran.err);
        CHECK(ran.code == 0);
        CHECK(ran.out == std::to_string(i) + "\n");
    }
    CHECK(pp.pp_json({"ls", "--all"})["processes"].size() == 10);
}

TEST_CASE("a second hub, and a second keeper, leave the first in place", "[e2e][race]") {
    Installation pp;
    pp.pp({"hub", "start"});
    const auto hub = pp.hub_pid();
    Running second{{pp.program("pp-hub")}, pp.environment(), pp.work()};
    CHECK(second.wait().code == 0);
    CHECK(pp.hub_pid() == hub);
    REQUIRE(pp.pp({"run", "-d", "sleep", "1000"}).code == 0);
    const auto keeper = pp.keeper_pid();
    Running other{{pp.program("pp-keeper")}, pp.environment(), pp.work()};
    CHECK(other.wait().code == 0);
    CHECK(pp.keeper_pid() == keeper);
}

TEST_CASE("a hub that comes after the shims finds them all", "[e2e][race]") {
    Installation pp;
    for (int i = 1; i <= 5; ++i) REQUIRE(pp.pp({"run", "-d", "--name", "n" + std::to_string(i), "sleep", "1000"}).code == 0);
    CHECK(pp.pp({"hub", "stop"}).code == 0);
    CHECK(pp.hub_pid() == 0);
    CHECK(pp.pp_json({"ls"})["processes"].size() == 5);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    for (int i = 1; i <= 5; ++i) CHECK(pp.pp({"stop", "n" + std::to_string(i)}).code == 0);
}

TEST_CASE("twenty hubs and twenty keepers start at once: one of each remains, the others say so by ending", "[e2e][race]") {
    Installation pp;
    for (const char* name : {"pp-hub", "pp-keeper"}) {
        std::vector<std::unique_ptr<Running>> racers;
        for (int i = 0; i < 20; ++i)
            racers.push_back(std::make_unique<Running>(std::vector{pp.program(name)}, pp.environment(), pp.work()));
        std::vector<pid_t> pids;
        for (const auto& racer : racers) pids.push_back(racer->pid());
        REQUIRE(pp.pp({"run", "-d", "--name", name, "sleep", "1000"}).code == 0);  // served by whoever won
        const auto winner = std::string{name} == "pp-hub" ? pp.hub_pid() : pp.keeper_pid();
        int ended = 0;
        for (const auto& racer : racers) {
            if (racer->pid() == winner) continue;
            CHECK(racer->wait().code == 0);
            ++ended;
        }
        CHECK(ended >= 19);
    }
}

TEST_CASE("the programs are replaced and the hub is restarted: nothing notices, and new shims are new", "[e2e][race][upgrade]") {
    Installation pp;
    pp.copy_programs();
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    const auto hub = pp.hub_pid();
    pp.copy_programs();
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    CHECK(pp.hub_pid() != hub);
    CHECK(executable_of(pp.hub_pid()) == pp.program("pp-hub"));
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    const auto old_shim = pp.shim_pid("p1");
    CHECK(executable_of(old_shim) == pp.program("pp-shim") + " (deleted)");
    Installation::kill_hard(old_shim);
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
    CHECK(pp.shim_pid("p1") != old_shim);
    CHECK(executable_of(pp.shim_pid("p1")) == pp.program("pp-shim"));
    const auto old_keeper = pp.keeper_pid();
    CHECK(executable_of(old_keeper) == pp.program("pp-keeper") + " (deleted)");
    Installation::kill_hard(old_keeper);
    CHECK(pp.pp({"send", "cat", "three", "--enter"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "other", "sleep", "1000"}).code == 0);  // which a keeper must have started
    CHECK(pp.keeper_pid() != old_keeper);
    CHECK(executable_of(pp.keeper_pid()) == pp.program("pp-keeper"));
    CHECK(executable_of(pp.shim_pid("p2")) == pp.program("pp-shim"));
    CHECK(pp.pp({"send", "cat", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "one\ntwo\nthree\n");
    CHECK(pp.pp_json({"status", "cat"})["runs"][0]["pid"] == pid);
}

TEST_CASE("a pp of a version that the hub does not speak is told what to do", "[e2e][race][upgrade]") {
    Installation pp;
    pp.pp({"hub", "start"});
    wire::Context context;
    auto channel = wire::Channel::dealer(context, pp.home().control_socket());
    wire::Request request;
    request.protocol = wire::kControlProtocol + 1;
    request.version = "9.9.9";
    request.token = 1;
    request.operation = "list";
    REQUIRE(channel.send(wire::encode(request)));
    std::optional<wire::Frame> frame;
    while (!(frame = channel.try_receive())) {
        pollfd polled{channel.fd(), POLLIN, 0};
        ::poll(&polled, 1, -1);
    }
    const auto reply = wire::decode<wire::Reply>(frame->bytes);
    CHECK(reply.status == "failed");
    CHECK_THAT(reply.text, Catch::Matchers::Contains("9.9.9") && Catch::Matchers::Contains("pp hub restart"));
}
