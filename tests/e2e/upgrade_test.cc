// Another build is installed while everything runs, and takes over.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "protocol/os/build_id.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "tests/support/installation.h"
#include "tests/support/keeper_probe.h"
#include "tests/support/lines.h"
#include "tests/support/other_build.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::built;
using test::install_other_build;
using test::Installation;

namespace {

/// Puts a program into the installation as an installer does: the old one may run.
void install(const Installation& pp, const std::string& name, const std::string& from) {
    const auto path = pp.program(name);
    std::filesystem::copy_file(from, path + ".new");
    std::filesystem::rename(path + ".new", path);
}

struct Upgraded {
    int code = 0;
    std::vector<json> parts;
    std::string err;
    [[nodiscard]] json part(const std::string& name, const std::string& id = {}) const {
        for (const auto& part : parts) {
            if (part["part"] == name && (id.empty() || part["id"] == id)) return part;
        }
        return {{"result", "not told"}, {"why", ""}};
    }
};

Upgraded upgrade(Installation& pp) {
    const auto ran = pp.pp({"hub", "upgrade", "--json"});
    Upgraded upgraded{ran.code, {}, ran.err};
    for (std::size_t at = 0; at < ran.out.size();) {
        const auto end = ran.out.find('\n', at);
        upgraded.parts.push_back(json::parse(ran.out.substr(at, end - at)));
        at = end + 1;
    }
    return upgraded;
}

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

pid_t pid_of(Installation& pp, const std::string& name) { return pp.pp_json({"status", name})["process"]["pid"]; }

}  // namespace

TEST_CASE("shims of earlier versions work under this hub, and are handed over one by one; no program notices", "[e2e][upgrade]") {
    const int protocol = GENERATE(1, 2);
    CAPTURE(protocol);
    Installation pp;
    pp.copy_programs();
    install(pp, "pp-shim", built("pp-shim-of-" + std::to_string(protocol)));
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "burst", "sh", "-c", "seq 1 200000; trap 'exit 6' USR1; echo ready; while :; do sleep 1000 & wait; done"})
                .code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "term", "--pty", "sh", "-c", "echo up; exec sleep 1000"}).code == 0);
    const std::map<std::string, pid_t> pids{{"p1", pid_of(pp, "cat")}, {"p2", pid_of(pp, "burst")}, {"p3", pid_of(pp, "term")}};
    std::map<std::string, pid_t> shims;
    for (const auto& [id, pid] : pids) shims[id] = pp.shim_pid(id);
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);  // they are commanded as ever
    const auto status = pp.pp_json({"hub", "status"});
    CHECK(status["outdated_shims"] == 0);  // what runs is what lies there

    install(pp, "pp-shim", built("pp-shim"));
    CHECK(pp.pp_json({"hub", "status"})["outdated_shims"] == 3);
    CHECK_THAT(pp.pp({"hub", "status"}).out, Contains("3 shims") && Contains("pp hub upgrade"));
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 0);
    CHECK(upgraded.part("hub")["result"] == "current");
    CHECK(upgraded.part("keeper")["result"] == "current");
    for (const auto& [id, shim] : shims) {
        const auto part = upgraded.part("shim", id);
        CHECK(part["result"] == "upgraded");
        CHECK(part["from"]["version"] == "0.0." + std::to_string(protocol));
        CHECK(part["from"]["pid"] == shim);
        CHECK(part["from"]["build"] == os::build_id(built("pp-shim-of-" + std::to_string(protocol))));
        CHECK(part["to"]["version"] == PP_VERSION);
        CHECK(part["to"]["build"] == os::build_id(built("pp-shim")));
        CHECK(part["to"]["pid"] == pp.shim_pid(id));
        CHECK(pp.pp_json({"status", id})["process"]["pid"] == pids.at(id));
    }
    CHECK(pp.pp_json({"hub", "status"})["outdated_shims"] == 0);
    for (const auto& part : upgrade(pp).parts) CHECK(part["result"] == "current");

    CHECK(pp.pp({"send", "cat", "two", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "one\ntwo\n");
    pp.start_pp({"logs", "-f", "burst"})->wait_for_output("ready\n");
    ::kill(pids.at("p2"), SIGUSR1);
    CHECK(pp.pp({"wait", "burst"}).code == 6);
    CHECK(pp.pp({"logs", "burst"}).out == test::lines_to(200000) + "ready\n");
    CHECK(pp.pp({"stop", "term"}).code == 0);
}

TEST_CASE("another build of hub, keeper and shims is installed: pp hub upgrade has all of it run, in place", "[e2e][upgrade]") {
    Installation pp;
    pp.copy_programs();
    for (const char* name : {"pp-hub", "pp-keeper", "pp-shim"}) install_other_build(pp, name);
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "orphan", "sh", "-c", "read x; exit 9"}).code == 0);
    test::wait_until_kept(pp.home(), 2, 8);
    Installation::kill_hard(pp.shim_pid("p2"));  // its program is the keeper's child now
    CHECK(pp.pp_json({"status", "orphan"})["process"]["state"] == "running");
    test::wait_until_kept(pp.home(), 2, 8);
    const auto keeper = pp.keeper_pid();
    const auto hub = pp.hub_pid();
    const auto cat = pid_of(pp, "cat");
    const auto orphan = pid_of(pp, "orphan");
    CHECK(os::find_proc_stat(orphan)->parent == keeper);

    for (const char* name : {"pp-hub", "pp-keeper", "pp-shim"}) install(pp, name, built(name));
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 0);
    CHECK(upgraded.part("hub")["result"] == "upgraded");
    CHECK(upgraded.part("hub")["from"]["pid"] == hub);
    CHECK(upgraded.part("keeper")["result"] == "upgraded");
    CHECK(upgraded.part("keeper")["from"]["pid"] == keeper);
    CHECK(upgraded.part("keeper")["to"]["pid"] == keeper);  // it is the same process
    CHECK(upgraded.part("keeper")["from"]["build"] != upgraded.part("keeper")["to"]["build"]);
    CHECK(upgraded.part("keeper")["to"]["build"] == os::build_id(built("pp-keeper")));
    CHECK(upgraded.part("shim", "p1")["result"] == "upgraded");
    CHECK(upgraded.part("shim", "p2")["result"] == "upgraded");
    for (const pid_t pid : {pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1"), pp.shim_pid("p2")}) {
        const auto program = os::find_program_path(pid).value();
        CHECK(os::executes_build(pid, built(program.substr(program.rfind('/') + 1))));
    }
    CHECK(os::find_proc_stat(orphan)->parent == keeper);
    CHECK(pp.pp({"send", "orphan", "go", "--enter"}).code == 0);
    CHECK(pp.pp({"wait", "orphan"}).code == 9);
    CHECK(pid_of(pp, "cat") == cat);
    CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
}

TEST_CASE("an upgrade stops at the first shim whose successor does not come up; the program lives, and a mended one goes on",
          "[e2e][upgrade]") {
    Installation pp;
    pp.copy_programs();
    for (const char* name : {"one", "two"}) REQUIRE(pp.pp({"run", "-d", "-i", "--name", name, "cat"}).code == 0);
    const auto one = pid_of(pp, "one");
    const auto two = pid_of(pp, "two");
    const auto second_shim = pp.shim_pid("p2");
    install(pp, "pp-shim", "/bin/false");
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 1);
    CHECK_THAT(upgraded.err, Contains("stopped there") && Contains("processes live on"));
    CHECK(upgraded.part("shim", "p1")["result"] == "failed");
    CHECK_THAT(upgraded.part("shim", "p1")["why"].get<std::string>(), Contains("failed to come up three times"));
    CHECK(upgraded.part("shim", "p2")["result"] == "not told");
    CHECK(pp.shim_pid("p2") == second_shim);
    CHECK(lives(one));
    CHECK(pp.pp_json({"ls"})["processes"][0]["attention"] == "unattended");
    CHECK(pp.pp({"send", "two", "works", "--enter"}).code == 0);

    install(pp, "pp-shim", built("pp-shim-of-2"));
    const auto mended = upgrade(pp);
    CHECK(mended.code == 0);
    CHECK(pp.pp({"send", "one", "back", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "one"}).code == 0);
    CHECK(pp.pp({"logs", "one"}).out == "back\n");
    CHECK(mended.part("shim", "p2")["result"] == "upgraded");
    CHECK(pid_of(pp, "two") == two);
}

TEST_CASE("a keeper whose new program cannot be executed goes on as it was, and the upgrade stops", "[e2e][upgrade]") {
    Installation pp;
    pp.copy_programs();
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto keeper = pp.keeper_pid();
    os::write_atomic_file(pp.program("pp-keeper"), "not a program", 0755);
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 1);
    CHECK(upgraded.part("keeper")["result"] == "failed");
    CHECK_THAT(upgraded.part("keeper")["why"].get<std::string>(), Contains("Exec format error"));
    CHECK(pp.keeper_pid() == keeper);
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"send", "cat", "one", "--enter"}).code == 0);
}

TEST_CASE("a shim of a later pp is shown, left running, and not commanded", "[e2e][upgrade]") {
    Installation pp;
    pp.copy_programs();
    install(pp, "pp-shim", built("pp-shim-of-99"));
    static_cast<void>(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}));
    const auto process = pp.pp_json({"ls"})["processes"][0];
    CHECK(process["state"] == "running");
    const pid_t main = process["pid"];
    const auto stopped = pp.pp({"stop", "web"});
    CHECK(stopped.code == 1);
    CHECK_THAT(stopped.err, Contains("newer pp"));
    CHECK_THAT(pp.pp_json({"status", "web"})["why"].get<std::string>(), Contains("newer pp"));
    install(pp, "pp-shim", built("pp-shim"));
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 0);
    CHECK(upgraded.part("shim")["result"] == "left");
    CHECK(upgraded.part("shim")["from"]["version"] == "0.0.99");
    CHECK_THAT(upgraded.part("shim")["why"].get<std::string>(), Contains("newer pp"));
    CHECK(lives(main));
}

TEST_CASE("a keeper's program that is none is not let in, and the keeper goes on as it was", "[e2e][upgrade][keeper]") {
    Installation pp;
    pp.copy_programs();
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const pid_t keeper = pp.keeper_pid();
    install(pp, "pp-keeper", "/bin/false");
    const auto upgraded = upgrade(pp);
    CHECK(upgraded.code == 1);
    CHECK(upgraded.part("keeper")["result"] == "failed");
    CHECK_THAT(upgraded.part("keeper")["why"].get<std::string>(), Contains("does not say") && Contains("--version"));
    CHECK(pp.keeper_pid() == keeper);
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
}

TEST_CASE("an upgrade of what is current does nothing, and says so in words", "[e2e][upgrade]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const auto shim = pp.shim_pid("p1");
    const auto ran = pp.pp({"hub", "upgrade"});
    CHECK(ran.code == 0);
    CHECK_THAT(ran.out, Contains("hub: " PP_VERSION " (build ") && Contains("keeper: " PP_VERSION " (build ") &&
                            Contains("shim of web (p1): " PP_VERSION " (build ") && Contains("is current"));
    CHECK_THAT(ran.err, Contains("0 upgraded, 3 current, 0 left"));
    CHECK(pp.shim_pid("p1") == shim);
}
