#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "protocol/os/unix_socket.h"
#include "tests/support/installation.h"
#include "tests/support/mcp_client.h"

using namespace pp;
using test::Installation;
using test::Ran;

namespace {

/// Refused with one line that says this.
void check_refused(const Ran& ran, int code, const std::string& text) {
    CAPTURE(ran.out, ran.err);
    CHECK(ran.code == code);
    CHECK_THAT(ran.err, Catch::Matchers::Contains(text));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') <= 3);
}

}  // namespace

TEST_CASE("what cannot be started is said in one line, with what would be right", "[e2e][bad]") {
    Installation pp;
    check_refused(pp.pp({"run", "no-such-program"}), 127, "no-such-program");
    check_refused(pp.pp({"run", "--dir", "/no/such/dir", "true"}), 1, "/no/such/dir");
    check_refused(pp.pp({"run", "/etc/passwd"}), 126, "/etc/passwd");
    check_refused(pp.pp({"run", ""}), 2, "the command is empty");
    CHECK(pp.pp({"run"}).code == 2);
    CHECK(pp.pp({"run", "--no-such-option", "true"}).code == 2);
    CHECK(pp.pp_json({"ls", "--all"})["processes"].empty());
}

TEST_CASE("names: taken, unknown", "[e2e][bad]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "server", "sleep", "1000"}).code == 0);
    check_refused(pp.pp({"run", "-d", "--name", "server", "sleep", "2000"}), 1, "server");
    check_refused(pp.pp({"stop", "servr"}), 3, "server");
    check_refused(pp.pp({"logs", "servr"}), 3, "server");
    check_refused(pp.pp({"status", "p99"}), 3, "p99");
    check_refused(pp.pp({"stop", "1"}), 3, "1");  // a pid that is not pp's
    CHECK(pp.pp_json({"status", "server"})["process"]["state"] == "running");
}

TEST_CASE("a name that several live processes have is ambiguous: all are listed, and none is touched", "[e2e][bad]") {
    Installation pp;
    for (const char* project : {"a", "b"}) {
        const auto directory = pp.root() + "/" + project;
        ::mkdir(directory.c_str(), 0700);
        REQUIRE(pp.pp({"run", "-d", "--name", "web", "--dir", directory, "sleep", "1000"}).code == 0);
    }
    for (const auto& words : std::vector<std::vector<std::string>>{{"stop", "web"},
                                                                   {"restart", "web"},
                                                                   {"send", "web", "x"},
                                                                   {"status", "web"},
                                                                   {"logs", "web"},
                                                                   {"wait", "web"},
                                                                   {"clear", "web"},
                                                                   {"stop", "sleep 1000"}}) {
        const auto ran = pp.pp(words);
        CAPTURE(words[0], ran.out, ran.err);
        CHECK(ran.code == 4);
        CHECK(ran.out.empty());
        CHECK_THAT(ran.err, Catch::Matchers::Contains("p1") && Catch::Matchers::Contains("p2"));
    }
    test::McpClient agent{pp.mcp_port()};
    CHECK_THAT(agent.refusal("stop", {{"process", "web"}}),
               Catch::Matchers::Contains("p1") && Catch::Matchers::Contains("p2"));
    for (const char* id : {"p1", "p2"}) {
        const auto process = pp.pp_json({"status", id})["process"];
        CHECK(process["state"] == "running");
        CHECK(process["run"] == 1);
    }

    // in a project of one of them it is that one's name
    test::Running inside{{pp.program("pp"), "stop", "web"}, pp.environment(), pp.root() + "/b"};
    CHECK(inside.wait().code == 0);
    CHECK(pp.pp_json({"status", "p2"})["process"]["outcome"] == "stopped");
    CHECK(pp.pp_json({"status", "web"})["process"]["id"] == "p1");  // of several, the one that lives
}

TEST_CASE("times, counts and signals that make no sense are usage errors", "[e2e][bad]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "server", "sleep", "1000"}).code == 0);
    for (const auto& words : std::vector<std::vector<std::string>>{{"logs", "server", "--since", "yesterday-ish"},
                                                                   {"logs", "server", "-n", "-5"},
                                                                   {"logs", "server", "--stream", "both"},
                                                                   {"stop", "server", "--signal", "SIGNOPE"},
                                                                   {"wait", "server", "--timeout", "soon"},
                                                                   {"frobnicate-not", "--help-me-not"}}) {
        const auto ran = pp.pp(words);
        CAPTURE(words[0], ran.err);
        CHECK(ran.code != 0);
        CHECK_FALSE(ran.err.empty());
    }
    CHECK(pp.pp_json({"status", "server"})["process"]["state"] == "running");
    check_refused(pp.pp({"attach", "server"}), 2, "not in this version");
}

TEST_CASE("garbage on every socket disturbs nobody", "[e2e][bad]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto hub = pp.hub_pid();
    const auto keeper = pp.keeper_pid();
    const std::string garbage(300, '\xa5');
    for (const auto& path : {pp.home().keeper_socket(), pp.home().shim_socket(1)}) {
        const auto socket = os::find_seqpacket(path);
        REQUIRE(socket);
        ::send(socket->get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    }
    for (const auto& path : {pp.home().shims_socket(), pp.home().control_socket(), pp.home().mcp_socket()}) {
        os::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        ::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    }
    CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
    CHECK(pp.hub_pid() == hub);
    CHECK(pp.keeper_pid() == keeper);
}

TEST_CASE("damaged files of one process are shown as such, and the others are unaffected", "[e2e][bad]") {
    Installation pp;
    for (const char* name : {"ring", "page", "launch", "fine"})
        REQUIRE(pp.pp({"run", "--name", name, "sh", "-c", std::string{"echo "} + name}).code == 0);
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    REQUIRE(::truncate(pp.home().ring(1).c_str(), 100) == 0);
    REQUIRE(::truncate(pp.home().state_page(2).c_str(), 10) == 0);
    std::ofstream{pp.home().launch(3), std::ios::trunc} << "not msgpack";
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    const auto processes = pp.pp_json({"ls", "--all"})["processes"];
    CHECK(processes.size() == 4);
    CHECK_THAT(pp.pp({"ls", "--all"}).out, Catch::Matchers::Contains("damaged"));
    CHECK(pp.pp({"logs", "fine"}).out == "fine\n");
    CHECK(pp.pp({"logs", "p1"}).code == 1);
    CHECK(pp.pp({"run", "--name", "fine", "sh", "-c", "echo fine"}).code == 0);
}

TEST_CASE("a live process with a damaged log or launch file is shown as such, and still commanded", "[e2e][bad]") {
    Installation pp;
    for (const char* name : {"ring", "launch", "fine"})
        REQUIRE(pp.pp({"run", "-d", "--name", name, "sleep", "1000"}).code == 0);
    REQUIRE(::truncate(pp.home().ring(1).c_str(), 100) == 0);
    std::ofstream{pp.home().launch(2), std::ios::trunc} << "not msgpack";

    const auto listed = pp.pp({"ls"}).out;
    CAPTURE(listed);
    CHECK_THAT(listed, Catch::Matchers::Matches("(.|\n)*p1 +ring +running +[0-9](.|\n)* damaged: its log cannot be read: ring (.|\n)*"));
    CHECK_THAT(listed, Catch::Matchers::Matches("(.|\n)*p2 +- +running +[0-9](.|\n)* damaged: launch file (.|\n)*"));
    CHECK_THAT(listed, Catch::Matchers::Matches("(.|\n)*p3 +fine +running +[0-9](.|\n)* sleep 1000\n"));
    const auto processes = pp.pp_json({"ls"})["processes"];
    CHECK_THAT(processes[0]["damage"].get<std::string>(), Catch::Matchers::Contains("its log cannot be read"));
    CHECK_FALSE(processes[2].contains("damage"));
    CHECK_THAT(test::McpClient{pp.mcp_port()}.call("get_status", {{"process", "p1"}})["process"]["damage"].get<std::string>(),
               Catch::Matchers::Contains("its log cannot be read"));

    CHECK(pp.pp({"logs", "ring"}).code == 1);
    CHECK_THAT(pp.pp({"stop", "ring"}).out, Catch::Matchers::Contains("ring (p1) has finished") &&
                                                Catch::Matchers::Contains("damaged: its log cannot be read"));
    CHECK_THAT(pp.pp({"stop", "p2"}).out, Catch::Matchers::StartsWith("p2 has finished") &&
                                              Catch::Matchers::Contains("damaged: launch file"));
    CHECK(pp.pp_json({"status", "fine"})["process"]["state"] == "running");
}

TEST_CASE("a run directory that is open to others is refused with the command that mends it", "[e2e][bad]") {
    Installation pp;
    ::mkdir(pp.home().run().c_str(), 0755);
    ::chmod(pp.home().run().c_str(), 0755);
    check_refused(pp.pp({"run", "true"}), 5, "chmod 700");
}

TEST_CASE("a home whose socket paths would be too long is refused, with the variable to set", "[e2e][bad]") {
    Installation pp;
    pp.set("PP_HOME", pp.root() + "/" + std::string(100, 'x'));
    const auto ran = pp.pp({"ls"});
    CHECK(ran.code != 0);
    CHECK_THAT(ran.err, Catch::Matchers::Contains("PP_HOME"));
}

TEST_CASE("a taken port is said with who holds it, and everything else works", "[e2e][bad]") {
    Installation pp;
    Installation other;
    other.pp({"hub", "start"});
    const auto url = other.pp_json({"hub", "status"})["mcp_url"].get<std::string>();
    const auto port = url.substr(url.rfind(':') + 1, url.rfind('/') - url.rfind(':') - 1);
    pp.set("PP_PORT", port);
    CHECK(pp.pp({"run", "echo", "works"}).out == "works\n");
    const auto problem = pp.pp_json({"hub", "status"})["port_problem"].get<std::string>();
    CHECK_THAT(problem, Catch::Matchers::Contains(port));
    CHECK_THAT(problem, Catch::Matchers::Contains(std::to_string(other.hub_pid())));
}

TEST_CASE("a bad configuration is told where the hub is started, and in its status", "[e2e][input]") {
    Installation pp;
    std::filesystem::create_directories(pp.root() + "/config");
    std::ofstream{pp.root() + "/config/config.toml"} << "[hub]\nauth = \"tokn\"\n";
    const auto ran = pp.pp({"run", "true"});
    CHECK(ran.code == 0);
    CHECK_THAT(ran.err, Catch::Matchers::Contains("config.toml:2:8: auth is \"tokn\""));
    CHECK_THAT(pp.pp({"hub", "status"}).out, Catch::Matchers::Contains("config.toml:2:8"));
    CHECK(pp.pp_json({"hub", "status"})["settings_problems"].size() == 1);
}
