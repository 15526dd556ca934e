#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "protocol/os/error.h"
#include "tests/support/installation.h"
#include "tests/support/lines.h"
#include "tests/support/private_mounts.h"
#include "tests/support/skip.h"

using namespace pp;
using test::Installation;

namespace {

/// A disk of this size where the home keeps its logs and records.
class SmallDisk {
  public:
    SmallDisk(std::string path, const char* size) : path_{std::move(path)} {
        if (::mount("none", path_.c_str(), "tmpfs", 0, (std::string{"mode=700,size="} + size).c_str()) != 0) os::throw_errno("mount", path_);
    }
    ~SmallDisk() { ::umount2(path_.c_str(), MNT_DETACH); }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    void resize(const char* size) const {
        if (::mount("none", path_.c_str(), "tmpfs", MS_REMOUNT, (std::string{"size="} + size).c_str()) != 0) os::throw_errno("remount", path_);
    }
    void fill() const {
        std::ofstream file{path_ + "/fill"};
        const std::string block(4096, 'x');
        while (file << block << std::flush) {
        }
    }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("a full disk: what cannot be kept is said, programs run on, and all works once there is room", "[e2e][disk]") {
    if (const auto why_not = test::take_private_mounts(); !why_not.empty()) return test::skip(why_not);
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);  // makes state/
    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    const SmallDisk disk{pp.root() + "/state", "1m"};
    REQUIRE(pp.pp({"run", "--name", "before", "echo", "before"}).out == "before\n");
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);

    const auto big = pp.pp({"run", "--name", "big", "sh", "-c", "seq 1 300000; exit 4"});
    CHECK(big.code == 4);
    CHECK_THAT(big.err, Catch::Matchers::Contains("bytes are missing"));
    CHECK_THAT(pp.pp({"status", "big"}).out, Catch::Matchers::Contains("refused by the disk"));
    disk.fill();
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Catch::Matchers::Contains("No space left on device"));
    CHECK(pp.pp({"logs", "before"}).out == "before\n");
    CHECK(pp.pp_json({"status", "cat"})["process"]["state"] == "running");

    disk.resize("64m");
    CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
    CHECK(pp.pp({"run", "--name", "more", "seq", "1", "20000"}).out == test::lines_to(20000));
}

TEST_CASE("on a full disk finished processes can be cleared, and a hub starts", "[e2e][disk]") {
    if (const auto why_not = test::take_private_mounts(); !why_not.empty()) return test::skip(why_not);
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);  // makes run/ and state/
    REQUIRE(pp.pp({"shutdown"}).code == 0);
    const SmallDisk run{pp.root() + "/run", "64k"};
    const SmallDisk state{pp.root() + "/state", "2m"};
    REQUIRE(pp.pp({"run", "--name", "small", "sh", "-c", "exit 3"}).code == 3);
    REQUIRE(pp.pp({"run", "--name", "big", "sh", "-c", "yes x | head -c 30000000; exit 6"}).code == 6);
    run.fill();
    state.fill();

    REQUIRE(pp.pp({"hub", "stop"}).code == 0);
    const auto started = pp.pp({"hub", "start"});
    CHECK(started.err == "");
    CHECK(started.code == 0);
    const auto cleared = pp.pp({"clear", "big"});
    CHECK(cleared.err == "");
    CHECK(cleared.code == 0);
    CHECK(pp.pp({"clear", "--all"}).out == "p1 cleared\n");
    CHECK(pp.pp({"run", "--name", "next", "sh", "-c", "echo there is room"}).out == "there is room\n");
    const auto ended = pp.pp({"shutdown"});
    CHECK(ended.err == "");
    CHECK(ended.code == 0);
}

TEST_CASE("a full run directory: nothing can be started, that is said, what runs is not disturbed, and then it works again",
          "[e2e][disk]") {
    if (const auto why_not = test::take_private_mounts(); !why_not.empty()) return test::skip(why_not);
    Installation pp;
    REQUIRE(pp.pp({"hub", "start"}).code == 0);  // makes run/
    REQUIRE(pp.pp({"shutdown"}).code == 0);
    const SmallDisk run{pp.home().run(), "64k"};
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
    const auto before = pp.pp_json({"status", "cat"})["process"];
    run.fill();
    const auto refused = pp.pp({"run", "--name", "more", "echo", "more"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Catch::Matchers::Contains("No space left on device"));
    CHECK(pp.pp_json({"status", "cat"})["process"]["pid"] == before["pid"]);
    std::filesystem::remove(pp.home().run() + "/fill");
    CHECK(pp.pp({"run", "--name", "more", "echo", "more"}).out == "more\n");
    CHECK(pp.pp({"send", "cat", "still here", "--enter", "--eof"}).code == 0);
    CHECK(pp.pp({"wait", "cat"}).code == 0);
    CHECK(pp.pp({"logs", "cat"}).out == "still here\n");
}
