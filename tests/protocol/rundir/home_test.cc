#include "protocol/rundir/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "protocol/os/atomic_file.h"
#include "protocol/os/unix_socket.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;
using rundir::Home;

TEST_CASE("a process id is p and a number without leading zeros", "[rundir]") {
    CHECK(rundir::process_id(12) == "p12");
    CHECK(rundir::find_process_number("p12") == 12u);
    CHECK(rundir::find_process_number("p18446744073709551615") == 18446744073709551615u);
    for (const char* text : {"", "p", "12", "p0", "p012", "p-1", "p+1", "p1x", "P1", "px", "p 1", "p18446744073709551616"})
        CHECK_FALSE(rundir::find_process_number(text));
}

TEST_CASE("PP_HOME holds everything", "[rundir][home]") {
    const auto home = Home::from_environment({{"PP_HOME", "/somewhere/"}, {"XDG_STATE_HOME", "/elsewhere"}}, 1000);
    CHECK(home.run() == "/somewhere/run");
    CHECK(home.state() == "/somewhere/state");
    CHECK(home.config() == "/somewhere/config");
    CHECK(home.shim_socket(12) == "/somewhere/run/p12.sock");
    CHECK(home.state_page(12) == "/somewhere/run/p12.state");
    CHECK(home.ring(12) == "/somewhere/state/processes/p12/out.ring");
    CHECK(home.launch(12) == "/somewhere/state/processes/p12/launch");
    CHECK(home.log("hub") == "/somewhere/state/log/hub.log");
    CHECK(home.user_config() == "/somewhere/config/config.toml");
}

TEST_CASE("without PP_HOME the run directory comes from the uid alone, the rest from XDG", "[rundir][home]") {
    const auto plain = Home::from_environment({{"HOME", "/home/me"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}}, 1000);
    CHECK(plain.run() == "/tmp/pp-1000");
    CHECK(plain.state() == "/home/me/.local/state/pp");
    CHECK(plain.config() == "/home/me/.config/pp");
    const auto xdg = Home::from_environment({{"HOME", "/home/me"}, {"XDG_STATE_HOME", "/s"}, {"XDG_CONFIG_HOME", "/c"}}, 7);
    CHECK(xdg.run() == "/tmp/pp-7");
    CHECK(xdg.state() == "/s/pp");
    CHECK(xdg.config() == "/c/pp");
    CHECK(Home::from_environment({{"HOME", "/home/me"}, {"XDG_STATE_HOME", ""}, {"PP_HOME", ""}}, 7).state() ==
          "/home/me/.local/state/pp");
}

TEST_CASE("a program that is given a home's environment comes to the same home", "[rundir][home]") {
    for (const rundir::Environment& environment :
         {rundir::Environment{{"PP_HOME", "/h"}}, rundir::Environment{{"HOME", "/home/me"}},
          rundir::Environment{{"HOME", "/home/me"}, {"XDG_STATE_HOME", "/s"}, {"XDG_CONFIG_HOME", "/c"}}}) {
        const auto home = Home::from_environment(environment, 5);
        rundir::Environment again;
        for (const auto& entry : home.environment()) {
            const auto equals = entry.find('=');
            again.emplace(entry.substr(0, equals), entry.substr(equals + 1));
        }
        const auto same = Home::from_environment(again, 5);
        CHECK(same.run() == home.run());
        CHECK(same.state() == home.state());
        CHECK(same.config() == home.config());
    }
}

TEST_CASE("a home that cannot work is refused in words", "[rundir][home]") {
    CHECK_THROWS_WITH(Home::from_environment({{"PP_HOME", "relative/path"}}, 1),
                      Contains("PP_HOME is 'relative/path'") && Contains("absolute"));
    CHECK_THROWS_WITH(Home::from_environment({{"HOME", "me"}}, 1), Contains("absolute"));
    CHECK_THROWS_WITH(Home::from_environment({{"PP_HOME", "/" + std::string(100, 'x')}}, 1),
                      Contains("107 bytes") && Contains("PP_HOME"));
    // the longest that goes still has room for the longest socket
    const auto home = Home::from_environment({{"PP_HOME", "/" + std::string(85, 'x')}}, 1);
    CHECK(home.shim_socket(1234567890).size() <= os::kMaxSocketPath);
}

TEST_CASE("a home is made private, and made again without harm", "[rundir][home]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir / "deep/home"}}, ::geteuid());
    home.prepare();
    home.prepare();
    for (const auto& path : {home.run(), home.state(), home.processes(), home.projects()}) {
        struct stat status {};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK(S_ISDIR(status.st_mode));
        CHECK((status.st_mode & 0777) == 0700);
    }
    CHECK(home.known_processes().empty());
}

TEST_CASE("a run directory that others can reach is refused with what to do", "[rundir][home]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    REQUIRE(::mkdir(home.run().c_str(), 0700) == 0);
    REQUIRE(::chmod(home.run().c_str(), 0750) == 0);
    CHECK_THROWS_WITH(home.prepare(), Contains("open to others") && Contains("chmod 700 " + home.run()));
    REQUIRE(::chmod(home.run().c_str(), 0700) == 0);
    CHECK_NOTHROW(home.prepare());
}

TEST_CASE("a run directory that is a symlink or a file is refused", "[rundir][home]") {
    TempDir dir;
    TempDir elsewhere;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    SECTION("symlink") {
        REQUIRE(::symlink(elsewhere.path().c_str(), home.run().c_str()) == 0);
        CHECK_THROWS_WITH(home.prepare(), Contains("symlink is not followed"));
    }
    SECTION("file") {
        os::write_atomic_file(home.run(), "x", 0600);
        CHECK_THROWS_WITH(home.prepare(), Contains("not a directory"));
    }
}

TEST_CASE("a run directory of somebody else is refused", "[rundir][home]") {
    if (::geteuid() != 0) return test::skip("only root may give a directory away");
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    REQUIRE(::mkdir(home.run().c_str(), 0700) == 0);
    REQUIRE(::chown(home.run().c_str(), 4711, 4711) == 0);
    CHECK_THROWS_WITH(home.prepare(), Contains("belongs to uid 4711"));
}

TEST_CASE("a held run directory is locked as systemd-tmpfiles asks", "[rundir][home]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    home.prepare();
    const os::UniqueFd other{::open(home.run().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    {
        const auto held = home.hold();
        const auto held_too = home.hold();
        CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) != 0);
    }
    CHECK(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
    CHECK(home.hold());  // tmpfiles is at it: no reason to fail
}

TEST_CASE("known processes are the numbered directories, ascending", "[rundir][home]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    CHECK(home.known_processes().empty());
    home.prepare();
    for (const char* name : {"p10", "p9", "p1", "q1", "p01", "px", ".p3"})
        REQUIRE(::mkdir((home.processes() + "/" + name).c_str(), 0700) == 0);
    CHECK(home.known_processes() == std::vector<rundir::ProcessNumber>{1, 9, 10});
}

TEST_CASE("the epoch file comes back as it was written", "[rundir][epoch]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    home.prepare();
    CHECK_FALSE(rundir::find_hub_epoch(home));
    rundir::write_hub_epoch(home, {18446744073709551615u, 4711, 123456789, "0.1.0", 8947});
    const auto epoch = rundir::find_hub_epoch(home);
    REQUIRE(epoch);
    CHECK(epoch->epoch == 18446744073709551615u);
    CHECK(epoch->pid == 4711);
    CHECK(epoch->start_time == 123456789);
    CHECK(epoch->version == "0.1.0");
    CHECK(epoch->port == 8947);
}

TEST_CASE("an epoch file that makes no sense is none, and a later one's lines are passed over", "[rundir][epoch]") {
    TempDir dir;
    const auto home = Home::from_environment({{"PP_HOME", dir.path()}}, ::geteuid());
    home.prepare();
    for (const char* text : {"", "epoch\n", "epoch x\npid y\n", "pid 5\n", "epoch 5\n", "epoch 5\npid -1\n", "\n\n\n"}) {
        os::write_atomic_file(home.hub_epoch(), text, 0600);
        CHECK_FALSE(rundir::find_hub_epoch(home));
    }
    os::write_atomic_file(home.hub_epoch(), "future line\npid 5\nepoch 6\nlast 1", 0600);
    const auto epoch = rundir::find_hub_epoch(home);
    REQUIRE(epoch);
    CHECK(epoch->epoch == 6);
    CHECK(epoch->pid == 5);
}

TEST_CASE("an environment is taken apart at its first equals sign", "[rundir]") {
    std::string a = "A=b=c";
    std::string empty = "EMPTY=";
    std::string odd = "=odd";
    std::string none = "none";
    char* entries[] = {a.data(), empty.data(), odd.data(), none.data(), nullptr};
    CHECK(rundir::current_environment(entries) == rundir::Environment{{"A", "b=c"}, {"EMPTY", ""}});
    CHECK(rundir::current_environment(nullptr).empty());
}
