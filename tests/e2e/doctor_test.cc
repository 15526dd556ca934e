#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "protocol/os/proc.h"
#include "protocol/ring/state_page.h"
#include "tests/support/installation.h"
#include "tests/support/other_build.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;

namespace {

struct Diagnosis {
    int code = 0;
    std::string text;
    json findings;
};

Diagnosis diagnose(Installation& pp) {
    const auto text = pp.pp({"doctor"});
    const auto ran = pp.pp({"doctor", "--json"});
    INFO(text.out << text.err);
    REQUIRE(ran.code == text.code);
    return {text.code, text.out, json::parse(ran.out)["findings"]};
}

/// "what — advice" of the first finding of this area and level that has `part` in it; empty: there is none.
std::string found(const Diagnosis& diagnosis, const std::string& level, const std::string& area, const std::string& part = {}) {
    for (const auto& finding : diagnosis.findings) {
        const auto what = finding["what"].get<std::string>();
        if (finding["level"] == level && finding["area"] == area && what.find(part) != std::string::npos)
            return what + " — " + (finding["advice"].is_null() ? "" : finding["advice"].get<std::string>());
    }
    return {};
}

/// A listener on a free port of the loopback.
class Listener {
  public:
    Listener() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket_.get(), 1) == 0);
        REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    [[nodiscard]] std::string port() const { return std::to_string(port_); }

  private:
    os::UniqueFd socket_;
    int port_ = 0;
};

void signal_to(pid_t pid, int signal) {
    REQUIRE(os::PidFd::find(pid).value().send_signal(signal));
}

/// Sleeps until it has stopped: the kernel tells nobody but its parent.
void wait_until_stopped(pid_t pid) {
    while (os::find_proc_stat(pid).value().state != 'T') ::sched_yield();
}

}  // namespace

TEST_CASE("the doctor of a pp that was never used starts nothing and makes nothing", "[e2e][doctor]") {
    Installation pp;
    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    CHECK_FALSE(found(diagnosis, "ok", "kernel").empty());
    CHECK_FALSE(found(diagnosis, "ok", "hub", "none runs").empty());
    CHECK_FALSE(found(diagnosis, "ok", "run", "not there yet").empty());
    CHECK_FALSE(found(diagnosis, "ok", "state", "splice into files").empty());
    CHECK_FALSE(std::filesystem::exists(pp.home().run()));
    CHECK_FALSE(std::filesystem::exists(pp.home().state()));
    CHECK(pp.hub_pid() == 0);
}

TEST_CASE("the doctor finds a working pp well", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    REQUIRE(pp.pp({"run", "--name", "short", "echo", "x"}).code == 0);
    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    for (const char* area : {"hub", "keeper", "port", "processes", "run", "state", "token", "programs"}) {
        INFO(area);
        CHECK_FALSE(found(diagnosis, "ok", area).empty());
        CHECK(found(diagnosis, "problem", area).empty());
    }
    CHECK_FALSE(found(diagnosis, "ok", "run", "held against ageing").empty());
}

TEST_CASE("directories and a token that others may open are found, with the command that closes them", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    ::chmod(pp.home().run().c_str(), 0755);
    ::chmod(pp.home().state().c_str(), 0750);
    ::chmod(pp.home().token().c_str(), 0644);
    const auto diagnosis = diagnose(pp);
    CHECK(diagnosis.code == 1);
    CHECK_THAT(found(diagnosis, "problem", "run"), Contains("mode 0755") && Contains("chmod 700 " + pp.home().run()));
    CHECK_THAT(found(diagnosis, "problem", "state"), Contains("mode 0750") && Contains("chmod 700 " + pp.home().state()));
    CHECK_THAT(found(diagnosis, "problem", "token"), Contains("mode 0644") && Contains("pp hub restart"));
}

TEST_CASE("a taken port is found with who has it, with a hub and without", "[e2e][doctor]") {
    const Listener listener;
    Installation pp;
    pp.set("PP_PORT", listener.port());
    const std::string us = "(pid " + std::to_string(::getpid()) + ")";
    CHECK_THAT(found(diagnose(pp), "problem", "port"), Contains(listener.port() + " is taken by") && Contains(us));
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK_THAT(found(diagnose(pp), "problem", "port"), Contains("no TCP port") && Contains(us) && Contains("PP_PORT"));
}

TEST_CASE("settings that cannot be read are found", "[e2e][doctor]") {
    Installation pp;
    std::filesystem::create_directories(pp.home().config());
    std::ofstream{pp.home().user_config()} << "[hub]\nport = 70000\n";
    CHECK_THAT(found(diagnose(pp), "problem", "settings"), Contains("config.toml:2") && Contains("0 to 65535"));
}

TEST_CASE("limits that are too low are found", "[e2e][doctor]") {
    Installation pp;
    const std::string script = "ulimit -Sn 256; ulimit -Hn 256; ulimit -Sf 100; exec " + pp.program("pp") + " doctor";
    const auto ran = test::Running({"/bin/sh", "-c", script}, pp.environment(), pp.work()).wait();
    CHECK(ran.code == 1);
    CHECK_THAT(ran.out, Contains("this shell may have 256 descriptors") && Contains("ulimit -Hn") && Contains("ulimit -f"));
}

TEST_CASE("damaged files are found by process, with what to do for each", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "page", "sleep", "1000"}).code == 0);
    for (const char* name : {"launch", "ring", "exit", "events"})
        REQUIRE(pp.pp({"run", "--name", name, "echo", name}).code == 0);
    const auto overwrite = [](const std::string& path, std::size_t most = 9000) {
        const os::UniqueFd file{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
        const std::string garbage(most, '\xa5');
        struct stat status {};
        REQUIRE(::fstat(file.get(), &status) == 0);
        const auto size = std::min<std::size_t>(garbage.size(), static_cast<std::size_t>(status.st_size));
        REQUIRE(::pwrite(file.get(), garbage.data(), size, 0) > 0);
    };
    overwrite(pp.home().state_page(1), 8);  // its magic: a shim has it mapped
    overwrite(pp.home().launch(2));
    overwrite(pp.home().ring(3));
    overwrite(pp.home().exit(4));
    overwrite(pp.home().events(5));
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    std::ofstream{pp.home().history()} << "not a database at all";
    std::ofstream{pp.home().run() + "/p77.state"} << "x";
    std::filesystem::create_directories(pp.home().process(78));

    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    CHECK(diagnosis.code == 1);
    CHECK_THAT(found(diagnosis, "problem", "files", "page (p1)"), Contains("pp stop p1, pp clear p1"));
    CHECK_THAT(found(diagnosis, "problem", "files", "p2"), Contains("launch") && Contains("pp clear p2"));
    CHECK_THAT(found(diagnosis, "problem", "files", "ring (p3)"), Contains("its log is lost"));
    CHECK_THAT(found(diagnosis, "problem", "files", "exit (p4)"), Contains("exit record"));
    CHECK_THAT(found(diagnosis, "note", "files", "events (p5)"), Contains("cannot be read"));
    CHECK_THAT(found(diagnosis, "problem", "history"), Contains("pp hub restart moves it aside"));
    CHECK_THAT(found(diagnosis, "note", "files", "p77.state"), Contains("the next hub takes them away"));
    CHECK_THAT(found(diagnosis, "note", "files", "p78"), Contains("never ran"));

    // and the advice holds
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    CHECK(pp.pp({"stop", "p1"}).code == 0);
    for (const char* id : {"p1", "p2", "p3", "p4", "p5"}) CHECK(pp.pp({"clear", id}).code == 0);
    const auto after = diagnose(pp);
    INFO(after.text);
    CHECK(found(after, "problem", "files").empty());
    CHECK(found(after, "note", "files").empty());
    CHECK(found(after, "problem", "history").empty());
    CHECK_FALSE(found(after, "note", "history", "damaged").empty());
}

TEST_CASE("a run directory that is wiped while processes live is found with all that it hides", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const pid_t hub = pp.hub_pid();
    const pid_t shim = pp.shim_pid("p1");
    signal_to(hub, SIGSTOP);  // whatever it would do about it
    wait_until_stopped(hub);
    std::filesystem::remove_all(pp.home().run());
    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    CHECK(diagnosis.code == 1);
    CHECK_FALSE(found(diagnosis, "problem", "run", "was removed while pp runs").empty());
    CHECK_THAT(found(diagnosis, "problem", "run", "a hub (pid"), Contains("kill " + std::to_string(hub)));
    CHECK_THAT(found(diagnosis, "problem", "run", "state pages"),
               Contains("p1 (shim " + std::to_string(shim) + ")") && Contains("pp stop"));
    CHECK_FALSE(std::filesystem::exists(pp.home().run()));
    Installation::kill_hard(hub);
    CHECK(pp.pp({"stop", "p1"}).code == 0);
    CHECK(pp.pp({"clear", "p1"}).code == 0);
}

TEST_CASE("a shim whose socket is gone is found, and the advice makes it anew", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    std::filesystem::remove(pp.home().shim_socket(1));
    CHECK_THAT(found(diagnose(pp), "problem", "run"),
               Contains("p1 (shim " + std::to_string(pp.shim_pid("p1")) + ")") && Contains("kill -KILL"));
    Installation::kill_hard(pp.shim_pid("p1"));
    REQUIRE(pp.pp({"send", "cat", "x", "--enter"}).code == 0);  // by the successor
    CHECK(found(diagnose(pp), "problem", "run").empty());
}

TEST_CASE("hub, keeper and shims that are stopped are found, and the hub's silence is not waited for", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const pid_t pids[] = {pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1")};
    for (const pid_t pid : pids) {
        signal_to(pid, SIGSTOP);
        wait_until_stopped(pid);
    }
    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    for (const auto& [area, pid] : {std::pair{"hub", pids[0]}, {"keeper", pids[1]}, {"shims", pids[2]}})
        CHECK_THAT(found(diagnosis, "problem", area), Contains("stopped") && Contains("kill -CONT " + std::to_string(pid)));
    CHECK_THAT(found(diagnosis, "note", "port"), Contains("?"));
    for (const pid_t pid : pids) signal_to(pid, SIGCONT);
    CHECK(found(diagnose(pp), "problem", "hub").empty());
}

TEST_CASE("programs that were replaced while they run are found", "[e2e][doctor]") {
    Installation pp;
    pp.copy_programs();
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    CHECK_FALSE(found(diagnose(pp), "ok", "programs").empty());
    pp.copy_programs();
    CHECK_FALSE(found(diagnose(pp), "ok", "programs").empty());  // the same build once more: there is nothing to upgrade
    for (const char* name : {"pp-hub", "pp-keeper", "pp-shim"}) test::install_other_build(pp, name);
    CHECK_THAT(found(diagnose(pp), "note", "programs"),
               Contains("the hub, the keeper, 1 shim") && Contains("was replaced") && Contains("pp hub upgrade"));
    REQUIRE(std::filesystem::remove(pp.program("pp-shim")));
    CHECK_THAT(found(diagnose(pp), "problem", "programs"), Contains("pp-shim cannot be executed"));
}

TEST_CASE("a program that lost its shim for good is found, and the advice brings one", "[e2e][doctor]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto socket = pp.home().shim_socket(1);
    REQUIRE(::unlink(socket.c_str()) == 0);
    REQUIRE(::mkdir(socket.c_str(), 0700) == 0);  // in the place of its socket: no shim comes up
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "x"}).code != 0);  // the keeper has given it up
    const auto diagnosis = diagnose(pp);
    INFO(diagnosis.text);
    CHECK_THAT(found(diagnosis, "problem", "shims"),
               Contains("cat (p1)") && Contains("runs without a shim") && Contains("pp hub restart"));
    CHECK_THAT(pp.pp({"events", "cat"}).out, Contains("has nobody to look after it"));
    REQUIRE(::rmdir(socket.c_str()) == 0);
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    REQUIRE(pp.pp({"send", "cat", "y", "--enter"}).code == 0);
    CHECK(found(diagnose(pp), "problem", "shims").empty());
}
