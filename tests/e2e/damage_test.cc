#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "protocol/os/proc.h"
#include "protocol/ring/state_page.h"
#include "tests/support/installation.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

/// Bytes of the state page, while a shim has it mapped.
void overwrite(const Installation& pp, std::size_t offset, std::size_t size) {
    const os::UniqueFd page{::open(pp.home().state_page(1).c_str(), O_RDWR | O_CLOEXEC)};
    const std::string garbage(size, '\xa5');
    REQUIRE(::pwrite(page.get(), garbage.data(), size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size));
}

pid_t pid_of(Installation& pp, const std::string& name) {
    return pp.pp_json({"status", name})["process"]["pid"];
}

bool lives(pid_t pid) {
    const auto stat = os::find_proc_stat(pid);
    return stat && stat->state != 'Z';
}

/// `web` (p1) and `fine` run.
void start_two(Installation& pp) {
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    REQUIRE(pp.pp({"run", "-d", "--name", "fine", "sleep", "1001"}).code == 0);
}

struct Damage {
    const char* what;
    std::size_t offset;
    std::size_t size;
};
constexpr Damage kDamages[] = {
    {"magic", 0, 8},
    {"process number", offsetof(ring::StatePageLayout, process), 8},
    {"boot id", offsetof(ring::StatePageLayout, boot_id), 36},
    {"lifecycles", offsetof(ring::StatePageLayout, lifecycles), 512},
};

}  // namespace

TEST_CASE("a live process whose page is damaged is not known, and nobody takes it for ended", "[e2e][damage]") {
    const auto damage = GENERATE(from_range(std::begin(kDamages), std::end(kDamages)));
    CAPTURE(damage.what);
    Installation pp;
    start_two(pp);
    const pid_t web = pid_of(pp, "web");
    const pid_t fine = pid_of(pp, "fine");
    overwrite(pp, damage.offset, damage.size);

    CHECK_THAT(pp.pp({"status", "p1"}).out, Contains("damaged") && Contains("state page"));
    const auto kept = pp.pp({"clear", "p1"});
    CHECK(kept.code == 1);
    CHECK_THAT(kept.err, Contains("damaged") && Contains("stop it first"));
    CHECK(std::filesystem::exists(pp.home().launch(1)));
    CHECK(pp.pp({"clear", "--all"}).code == 0);
    CHECK(std::filesystem::exists(pp.home().state_page(1)));

    const auto again = pp.pp({"run", "-d", "--name", "web", "sleep", "1000"});
    CHECK(again.code == 1);
    CHECK_THAT(again.err, Contains("damaged") && Contains("stop it"));
    CHECK(pp.pp({"restart", "p1"}).code == 1);
    CHECK(lives(web));

    CHECK(pp.pp({"stop", "p1"}).code == 0);
    CHECK_FALSE(lives(web));
    CHECK(pp.pp({"clear", "p1"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(pp.home().launch(1)));
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 0);
    CHECK(pid_of(pp, "fine") == fine);
    CHECK(lives(fine));
}

TEST_CASE("a live process whose page is damaged is found by a new hub, and ended by a shutdown", "[e2e][damage]") {
    Installation pp;
    start_two(pp);
    const pid_t web = pid_of(pp, "web");
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    overwrite(pp, 0, 8);
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    CHECK_THAT(pp.pp({"ls"}).out, Contains("damaged"));
    const auto ended = pp.pp({"shutdown", "--stop"});
    CHECK(ended.code == 0);
    CHECK_THAT(ended.out, Contains("p1 stopped") && Contains("p2 stopped"));
    CHECK_FALSE(lives(web));
}

TEST_CASE("a program that outlived its shim and page is ended by its mark, by force if need be", "[e2e][damage]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1000; done"})
                .code == 0);
    const pid_t web = pid_of(pp, "web");
    const auto shim = pp.shim_pid("p1");
    overwrite(pp, 0, 8);
    Installation::kill_hard(shim);  // no successor can come up on that page
    CHECK(lives(web));
    CHECK(pp.pp({"clear", "p1"}).code == 1);
    CHECK(pp.pp({"run", "-d", "--name", "web", "true"}).code == 1);
    CHECK(pp.pp({"stop", "p1", "--timeout", "100ms"}).code == 0);
    CHECK_FALSE(lives(web));
    CHECK(pp.pp({"clear", "p1"}).code == 0);
}

TEST_CASE("a live process whose page was removed is stopped all the same, and only then cleared", "[e2e][damage]") {
    Installation pp;
    start_two(pp);
    const pid_t web = pid_of(pp, "web");
    std::filesystem::remove(pp.home().state_page(1));
    CHECK(pp.pp({"clear", "p1"}).code == 1);
    CHECK(pp.pp({"run", "-d", "--name", "web", "sleep", "1000"}).code == 1);
    CHECK(pp.pp({"stop", "p1"}).code == 0);
    CHECK_FALSE(lives(web));
    CHECK(pp.pp({"clear", "p1"}).code == 0);
}

TEST_CASE("another home's process of the same number is nobody's to stop", "[e2e][damage]") {
    Installation pp;
    Installation other;
    start_two(pp);
    start_two(other);
    const pid_t bystander = pid_of(other, "web");
    overwrite(pp, 0, 8);
    CHECK(pp.pp({"stop", "p1"}).code == 0);
    CHECK(lives(bystander));
}

TEST_CASE("a shutdown that cannot end a process says so, and has failed", "[e2e][damage][shutdown]") {
    Installation pp;
    // without its mark, and with a page that says nothing, it is nobody's to end
    REQUIRE(pp.pp({"run", "-d", "--name", "web", "sh", "-c", "exec env -i PP_HOME=$PP_HOME /bin/sleep 1000"}).code == 0);
    const pid_t web = pid_of(pp, "web");
    overwrite(pp, 0, 8);
    const auto ended = pp.pp({"shutdown", "--stop"});
    CHECK(ended.code == 1);
    CHECK_THAT(ended.out, Contains("p1 left running"));
    CHECK_THAT(ended.err, Contains("its mark"));
    CHECK(lives(web));
    CHECK(pp.hub_pid() == 0);
    Installation::kill_hard(web);
}
