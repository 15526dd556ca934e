#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "protocol/os/proc.h"
#include "tests/support/directory_watch.h"
#include "tests/support/installation.h"
#include "tests/support/stream_client.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

/// A hub that may have 256 descriptors, and no more.
void start_hub_with_few(const Installation& pp) {
    const std::string script = "ulimit -n 256 && exec " + pp.program("pp") + " hub start";
    REQUIRE(test::Running({"/bin/sh", "-c", script}, pp.environment(), pp.work()).wait().code == 0);
}

std::vector<os::UniqueFd> connect_often(const std::string& path) {
    std::vector<os::UniqueFd> clients;
    for (int i = 0; i < 400; ++i) {
        if (auto client = test::try_connect(path)) clients.push_back(std::move(client));
    }
    return clients;
}

/// What takes a processor for a while.
constexpr const char* kBusy = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done";

long cpu_ms(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat ? static_cast<long>(stat->user_ticks + stat->system_ticks) * 1000 / ::sysconf(_SC_CLK_TCK) : 0;
}

}  // namespace

TEST_CASE("a hub with more HTTP clients than it may have descriptors lives on, idle, and answers others", "[e2e][limit]") {
    Installation pp;
    start_hub_with_few(pp);
    const pid_t hub = pp.hub_pid();
    auto clients = connect_often(pp.home().mcp_socket());
    CHECK(clients.size() > 64);
    char answer[64] = {};
    REQUIRE(::recv(clients[64].get(), answer, sizeof answer - 1, 0) > 0);  // the first beyond a quarter of the limit
    CHECK_THAT(std::string{answer}, Contains("503"));

    REQUIRE(pp.pp({"run", "--name", "one", "echo", "one"}).out == "one\n");
    const auto before = cpu_ms(hub);
    const auto busy = test::Running({"/bin/sh", "-c", kBusy}, pp.environment(), pp.work()).wait();
    CHECK(busy.cpu_ms > 100);
    CHECK(cpu_ms(hub) - before < busy.cpu_ms / 4);  // one that spins gets as much of a loaded machine as this did
    CHECK(pp.hub_pid() == hub);
    clients.clear();
    CHECK(test::try_connect(pp.home().mcp_socket()));
}

TEST_CASE("a hub with more control clients than it takes lives on, says so, and goes on when they have gone",
          "[e2e][limit]") {
    Installation pp;
    start_hub_with_few(pp);
    const pid_t hub = pp.hub_pid();
    auto clients = connect_often(pp.home().control_socket());
    CHECK(clients.size() >= 64);
    const auto refused = pp.pp({"run", "echo", "x"});
    CHECK(refused.code == 5);
    CHECK_THAT(refused.err, Contains("as many clients as it takes"));
    CHECK(pp.hub_pid() == hub);
    test::DirectoryWatch run{pp.home().run()};
    clients.clear();
    test::Ran ran;
    do {  // until the hub has seen all of them go, the door may fall shut again
        run.wait_for("control.sock");
        ran = pp.pp({"run", "echo", "again"});
    } while (ran.code == 5);
    CHECK(ran.code == 0);
    CHECK(ran.out == "again\n");
    CHECK(pp.hub_pid() == hub);
}
