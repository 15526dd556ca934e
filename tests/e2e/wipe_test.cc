// The run directory is wiped while all of pp lives.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>

#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/installation.h"
#include "tests/support/keeper_probe.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

/// Everything that comes back.
std::string post(int port, const std::string& body, const std::string& session = {}) {
    const os::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const std::string request = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                                "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
                                (session.empty() ? "" : "Mcp-Session-Id: " + session + "\r\n") +
                                "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    REQUIRE(::write(socket.get(), request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    std::string answer;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(socket.get(), buffer.data(), buffer.size())) > 0;)
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    return answer;
}

std::string session_of(const std::string& answer) {
    const std::string key = "Mcp-Session-Id: ";
    const auto at = answer.find(key);
    REQUIRE(at != std::string::npos);
    return answer.substr(at + key.size(), answer.find("\r\n", at) - at - key.size());
}

int count_of(const Installation& pp, const std::string& program) {
    int count = 0;
    for (const pid_t pid : os::all_pids()) {
        const auto path = os::find_program_path(pid);
        if (path == pp.program(program) && os::find_environment_value(pid, "PP_HOME") == pp.root()) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("the run directory is removed: everything is shown, found and commanded again, and nothing was lost", "[e2e][wipe]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    REQUIRE(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    const auto before = pp.pp_json({"ls"})["processes"];
    const auto shim = pp.shim_pid("p1");
    const auto keeper = pp.keeper_pid();
    const auto hub = pp.hub_pid();
    const auto followed = pp.start_pp({"logs", "-f", "--raw", "cat"});
    followed->wait_for_output("one\n");
    std::filesystem::remove_all(pp.home().run());

    const auto shown = pp.pp_json({"ls"})["processes"];  // from what is left, without any hub
    REQUIRE(shown.size() == 2);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        CHECK(shown[i]["state"] == "running");
        CHECK(shown[i]["pid"] == before[i]["pid"]);
        CHECK_THAT(shown[i]["trouble"].get<std::string>(), Contains("removed from the run directory") && Contains("pp hub restart"));
    }
    CHECK_THAT(pp.pp({"status", "cat"}).out, Contains("removed from the run directory"));

    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
    followed->wait_for_output("two\n");
    CHECK(pp.shim_pid("p1") == shim);
    CHECK(pp.keeper_pid() == keeper);
    CHECK_FALSE(lives(hub));
    CHECK(count_of(pp, "pp-hub") == 1);
    CHECK(count_of(pp, "pp-keeper") == 1);
    const auto after = pp.pp_json({"ls"})["processes"];
    for (std::size_t i = 0; i < after.size(); ++i) {
        CHECK(after[i]["pid"] == before[i]["pid"]);
        CHECK_FALSE(after[i].contains("trouble"));
    }
    test::wait_until_kept(pp.home(), 2, 7);
    Installation::kill_hard(shim);
    CHECK(pp.pp({"send", "cat", "three", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(followed->wait().out == "one\ntwo\nthree\n");
    CHECK(pp.pp({"stop", "web"}).code == 0);
}

TEST_CASE("one name is removed at a time, as a cleaner of /tmp does: each is there again when it is needed", "[e2e][wipe]") {
    const std::string name = GENERATE("p1.sock", "p1.state", "hub.lock", "hub.epoch", "control.sock", "keeper.lock", "keeper.sock");
    CAPTURE(name);
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto pid = pp.pp_json({"status", "cat"})["process"]["pid"];
    std::filesystem::remove(pp.home().run() + "/" + name);
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    CHECK(pp.pp_json({"status", "cat"})["process"]["pid"] == pid);
    CHECK(count_of(pp, "pp-hub") == 1);
    CHECK(count_of(pp, "pp-keeper") == 1);
    CHECK(pp.pp({"stop", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "one\n");
}

TEST_CASE("a hub that somebody still talks to finds that its names are gone, and another one takes its place", "[e2e][wipe]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const int port = pp.pp_json({"hub", "status"})["port"];
    const auto session = session_of(post(port, R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
"capabilities":{},"clientInfo":{"name":"test","version":"1"}}})"));
    const auto hub = os::PidFd::find(pp.hub_pid());
    std::filesystem::remove_all(pp.home().run());
    const auto answer = post(port, R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"send_input",
"arguments":{"process":"p1","text":"one","enter":true}}})", session);
    CHECK_THAT(answer, Contains("has been told to put it back: ask again"));
    hub->wait_for_end();
    CHECK(pp.pp({"send", "cat", "two", "--enter"}).code == 0);
    CHECK(count_of(pp, "pp-hub") == 1);
    CHECK_THAT(os::find_file_content(pp.home().log("hub")).value_or(""), Contains("the names of this hub are gone"));
}
