// Nobody looks after a program: what is shown of it, by files alone and by hubs, and how it is looked after again.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "protocol/os/futex.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"
#include "protocol/ring/state_page.h"
#include "tests/support/installation.h"
#include "tests/support/keeper_probe.h"
#include "tests/support/late_reader.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;

namespace {

/// No shim comes up as long as there is a directory in the place of its socket, and no hub sweeps one away that is not empty.
void break_shims(const Installation& pp) {
    const auto socket = pp.home().shim_socket(1);
    REQUIRE(::unlink(socket.c_str()) == 0);
    REQUIRE(std::filesystem::create_directories(socket + "/occupied"));
}
void mend_shims(const Installation& pp) { std::filesystem::remove_all(pp.home().shim_socket(1)); }

/// All at once: none sees another one dead.
void kill_all(const std::vector<pid_t>& pids) {
    std::vector<os::PidFd> held;
    for (const pid_t pid : pids) held.push_back(std::move(*os::PidFd::find(pid)));
    for (const auto& process : held) process.send_signal(SIGSTOP);
    for (const auto& process : held) process.send_signal(SIGKILL);
    for (const auto& process : held) process.wait_for_end();
}

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

void wait_for_other_shim(const Installation& pp, pid_t old) {
    const auto page = ring::StatePage::open(pp.home().state_page(1), os::MappedFile::Access::read);
    while (true) {
        const auto seen = page->wake.load();
        if (ring::read_state(page.fd()).lifecycle.shim_pid != old) return;
        os::futex_wait(page->wake, seen);
    }
}

json listed(Installation& pp) { return pp.pp_json({"ls"})["processes"][0]; }

/// pp, by a user whom the system does not let look into what is not dumpable.
std::unique_ptr<test::Running> start_unprivileged(const Installation& pp, const std::vector<std::string>& words) {
    std::vector<std::string> argv{pp.program("pp")};
    if (::geteuid() == 0) argv.insert(argv.begin(), {"/usr/bin/setpriv", "--bounding-set=-sys_ptrace"});
    argv.insert(argv.end(), words.begin(), words.end());
    return std::make_unique<test::Running>(argv, pp.environment(), pp.work());
}

}  // namespace

TEST_CASE("a process whose shims do not come up is told so by everybody, whoever of pp has died since", "[e2e][unattended]") {
    Installation pp;
    const test::LateReader reader{pp.work() + "/look"};
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "sh", "-c", reader.script()}).code == 0);
    const pid_t main = listed(pp)["pid"];
    break_shims(pp);
    Installation::kill_hard(pp.shim_pid("p1"));
    const auto sent = pp.pp({"send", "cat", "one", "--enter"});
    CHECK(sent.code == 1);
    CHECK_THAT(sent.err, Contains("failed to come up three times, the last time with:") && Contains("p1.sock"));
    const auto check_is_told = [&](const json& process) {
        CHECK(process["state"] == "running");
        CHECK(process["pid"] == main);
        CHECK(process["attention"] == "unattended");
        const auto trouble = process["trouble"].get<std::string>();
        CHECK_THAT(trouble, Contains("nobody looks after it") && Contains("p1.sock") && Contains("tries again"));
    };
    check_is_told(listed(pp));
    check_is_told(pp.pp_json({"status", "cat"})["process"]);
    CHECK_THAT(pp.pp({"ls"}).out, Contains("unattended"));

    kill_all({pp.hub_pid(), pp.keeper_pid()});
    check_is_told(listed(pp));  // by files alone
    const auto alone = pp.pp({"status", "cat"});
    CHECK_THAT(alone.out, Contains("p1.sock") && Contains("unattended"));
    CHECK_THAT(alone.err, Contains("no hub runs"));

    REQUIRE(pp.pp({"hub", "start"}).code == 0);  // it tries, too, and fails
    const auto again = pp.pp({"send", "cat", "one", "--enter"});
    CHECK(again.code == 1);
    CHECK_THAT(again.err, Contains("p1.sock"));
    check_is_told(pp.pp_json({"status", "cat"})["process"]);
    CHECK(lives(main));

    mend_shims(pp);
    CHECK(pp.pp({"send", "cat", "two", "--eof", "--enter"}).code == 0);
    reader.look_again();
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "two\n");
    CHECK(listed(pp)["attention"] == "none");
}

TEST_CASE("a program that ends while its shims do not come up is told with its code: the keeper is its parent", "[e2e][unattended]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "trap 'echo bye; kill $!; exit 7' USR1; echo up; while :; do sleep 1000 & wait; done"})
                .code == 0);
    const pid_t main = listed(pp)["pid"];
    break_shims(pp);
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"restart", "web"}).code == 1);
    const auto waiting = pp.start_pp({"wait", "web"});
    ::kill(main, SIGUSR1);
    CHECK(waiting->wait().code == 7);
    CHECK(listed(pp)["exit_code"] == 7);
    CHECK(pp.pp_json({"status", "web"})["process"]["exit_code"] == 7);
    CHECK(pp.pp({"hub", "stop"}).code == 0);
    CHECK(listed(pp)["exit_code"] == 7);
    mend_shims(pp);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp({"wait", "web"}).code == 7);
    CHECK(pp.pp({"logs", "-f", "web"}).out == "up\nbye\n");  // its last words were held for it
}

TEST_CASE("what was given up and cleared is forgotten by the keeper, which then ends", "[e2e][unattended][keeper]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    const pid_t main = listed(pp)["pid"];
    const auto keeper = os::PidFd::find(pp.keeper_pid());
    break_shims(pp);
    Installation::kill_hard(pp.shim_pid("p1"));
    CHECK(pp.pp({"restart", "web"}).code == 1);
    const auto waiting = pp.start_pp({"wait", "web"});
    ::kill(main, SIGKILL);
    CHECK(waiting->wait().code == 128 + SIGKILL);
    CHECK(pp.pp({"clear", "web"}).code == 0);
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    keeper->wait_for_end();
    CHECK_THAT(os::find_file_content(pp.home().log("keeper")).value_or(""),
               Contains("p1: forgotten: it was cleared") && Contains("ends: nobody needs it"));
}

TEST_CASE("all of pp dies at once: the program is shown as what it is, and the next hub has it again", "[e2e][unattended]") {
    Installation pp;
    const test::LateReader reader{pp.work() + "/look"};
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "sh", "-c", reader.script()}).code == 0);
    const pid_t main = listed(pp)["pid"];
    kill_all({pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1")});
    const auto process = listed(pp);
    CHECK(process["state"] == "running");
    CHECK(process["pid"] == main);
    CHECK(process["attention"] == "unattended");
    CHECK_THAT(process["trouble"].get<std::string>(), Contains("its shim has been killed") && Contains("pp hub start"));
    CHECK_THAT(pp.pp({"status", "cat"}).out, Contains("pp hub start"));
    CHECK(pp.pp({"send", "cat", "here", "--enter", "--eof"}).code == 0);
    reader.look_again();
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "here\n");
    CHECK_FALSE(listed(pp).contains("trouble"));
}

TEST_CASE("a program that ends while all of pp is dead has ended, how is not known, and no code is invented", "[e2e][unattended]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "cat", "sleep", "1000"}).code == 0);
    const pid_t main = listed(pp)["pid"];
    const auto held = os::PidFd::find(main);
    kill_all({pp.hub_pid(), pp.keeper_pid(), pp.shim_pid("p1")});
    held->send_signal(SIGKILL);
    held->wait_for_end();
    const auto process = listed(pp);
    CHECK(process["state"] == "finished");
    CHECK(process["outcome"] == "unknown");
    CHECK(process["pid"].is_null());
    CHECK_THAT(pp.pp({"status", "cat"}).out, Contains("not known yet"));
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code != 0);  // the new shim has recorded what can be known
    const auto outcome = listed(pp)["outcome"].get<std::string>();
    CHECK((outcome == "unknown" || outcome == "killed"));  // the latter if PID 1 had not reaped it yet
}

TEST_CASE("a program that nobody may look into, and whose shim and keeper died, is shown as unreachable; a restart mends it",
          "[e2e][unattended]") {
    Installation pp;
    REQUIRE(start_unprivileged(pp, {"hub", "start"})->wait().code == 0);
    const std::string program = std::string{PP_BIN_DIR} + "/undumpable";
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "secret", program}).code == 0);
    const pid_t main = listed(pp)["pid"];
    const auto shim = pp.shim_pid("p1");
    kill_all({pp.hub_pid(), pp.keeper_pid(), shim});
    CHECK(lives(main));
    REQUIRE(start_unprivileged(pp, {"hub", "start"})->wait().code == 0);
    wait_for_other_shim(pp, shim);
    const auto process = listed(pp);
    CHECK(process["state"] == "running");
    CHECK(process["pid"] == main);
    CHECK(process["attention"] == "unreachable");
    CHECK_THAT(process["trouble"].get<std::string>(), Contains("cannot be reached") && Contains("a restart"));
    CHECK_THAT(pp.pp({"ls"}).out, Contains("unreachable"));
    const auto status = pp.pp_json({"status", "secret"});
    CHECK(status["process"]["attention"] == "unreachable");
    CHECK_THAT(status["why"].get<std::string>(), Contains("runs; what it writes cannot be reached"));

    CHECK(pp.pp({"restart", "secret"}).code == 0);
    CHECK_FALSE(lives(main));
    CHECK(listed(pp)["attention"] == "none");
    CHECK(pp.pp({"send", "secret", "hello", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "secret"}).code == 5);
    CHECK(pp.pp({"logs", "secret"}).out == "up\nhello\n");
}
