#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <system_error>

#include "protocol/os/atomic_file.h"
#include "protocol/os/error.h"
#include "protocol/os/mapped_file.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/read_file.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::test;
using os::OfdLock;

TEST_CASE("an error names the call, the object and the reason", "[os]") {
    errno = ENOENT;
    CHECK_THROWS_WITH(os::throw_errno("open", "/x/y"), "open /x/y: No such file or directory");
    CHECK_THROWS_WITH(os::throw_error(EPERM, "fork"), "fork: Operation not permitted");
    CHECK(os::error_text(ENOSPC) == "No space left on device");
}

TEST_CASE("a lock is held by one description at a time", "[os][lock]") {
    TempDir dir;
    const auto path = dir / "lock";
    CHECK_FALSE(OfdLock::is_held(path));
    auto first = OfdLock::try_take(path);
    REQUIRE(first);
    CHECK(OfdLock::is_held(path));
    CHECK_FALSE(OfdLock::try_take(path));  // another description, though the same process
    first->release();
    CHECK_FALSE(OfdLock::is_held(path));
    CHECK(OfdLock::try_take(path));
}

TEST_CASE("the bytes of a lock file are locked apart", "[os][lock]") {
    TempDir dir;
    const auto path = dir / "lock";
    const auto alive = OfdLock::try_take(path, OfdLock::kAlive);
    CHECK_FALSE(OfdLock::is_held(path, OfdLock::kStarting));
    const auto starting = OfdLock::try_take(path, OfdLock::kStarting);
    REQUIRE(starting);
    CHECK(OfdLock::is_held(path, OfdLock::kStarting));
    CHECK_FALSE(OfdLock::try_take(path, OfdLock::kStarting));
}

TEST_CASE("to close another descriptor of a locked file gives nothing up", "[os][lock]") {
    TempDir dir;
    const auto lock = OfdLock::try_take(dir / "lock");
    { const os::UniqueFd other{::open((dir / "lock").c_str(), O_RDWR | O_CLOEXEC)}; }
    CHECK(OfdLock::is_held(dir / "lock"));
}

TEST_CASE("a lock that is free is taken within its limit, and one that is not is given up", "[os][lock]") {
    TempDir dir;
    const auto path = dir / "lock";
    {
        const auto taken = OfdLock::take_within(path, OfdLock::kAlive, std::chrono::seconds{5});
        REQUIRE(taken);
        const auto before = std::chrono::steady_clock::now();
        CHECK_FALSE(OfdLock::take_within(path, OfdLock::kAlive, std::chrono::seconds{1}));
        CHECK(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds{900});
    }
    CHECK(OfdLock::take_within(path, OfdLock::kAlive, std::chrono::seconds{1}));
}

TEST_CASE("a lock ends the wait of another process when its holder dies", "[os][lock]") {
    TempDir dir;
    const auto path = dir / "lock";
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const os::UniqueFd held{ends[0]};
    os::UniqueFd say{ends[1]};
    const pid_t holder = ::fork();
    if (holder == 0) {
        const auto lock = OfdLock::try_take(path);
        [[maybe_unused]] const auto said = ::write(say.get(), "x", 1);
        while (true) ::pause();
    }
    char ready = 0;
    REQUIRE(::read(held.get(), &ready, 1) == 1);
    CHECK(OfdLock::is_held(path));
    ::kill(holder, SIGKILL);
    CHECK(OfdLock::take_within(path, OfdLock::kAlive, std::chrono::seconds{10}));
    ::waitpid(holder, nullptr, 0);
}

TEST_CASE("a lock file that is a symlink is not followed", "[os][lock]") {
    TempDir dir;
    REQUIRE(::symlink((dir / "elsewhere").c_str(), (dir / "lock").c_str()) == 0);
    CHECK_THROWS_AS(OfdLock::try_take(dir / "lock"), std::system_error);
    CHECK_FALSE(OfdLock::is_held(dir / "lock"));
}

TEST_CASE("an atomic file replaces the old one whole, with the mode asked for", "[os][file]") {
    TempDir dir;
    const auto path = dir / "file";
    os::write_atomic_file(path, "one", 0600, os::Durability::fsync);
    os::write_atomic_file(path, "two", 0640);
    CHECK(os::find_file_content(path) == "two");
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("an atomic file that fails leaves the old one and nothing beside it", "[os][file]") {
    TempDir dir;
    const auto path = dir / "directory";
    std::filesystem::create_directories(path + "/in it");
    CHECK_THROWS_WITH(os::write_atomic_file(path, "x", 0600), Catch::Contains("rename " + path + ".new"));
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
    CHECK(std::filesystem::exists(path + "/in it"));
    CHECK_THROWS_WITH(os::write_atomic_file(dir / "missing/file", "x", 0600), Catch::Contains("open "));
}

TEST_CASE("what a crash left beside an atomic file is in nobody's way", "[os][file]") {
    TempDir dir;
    REQUIRE(::symlink("/dev/null", (dir / "file.new").c_str()) == 0);
    os::write_atomic_file(dir / "file", "x", 0600);
    CHECK(os::find_file_content(dir / "file") == "x");
}

TEST_CASE("a file's content is read up to a limit", "[os][file]") {
    TempDir dir;
    os::write_atomic_file(dir / "file", std::string(10000, 'x'), 0600);
    CHECK(os::find_file_content(dir / "file")->size() == 10000);
    CHECK(os::find_file_content(dir / "file", 10000));
    CHECK_FALSE(os::find_file_content(dir / "file", 9999));
    CHECK_FALSE(os::find_file_content(dir / "missing"));
    CHECK_FALSE(os::find_file_content(dir.path()));
    CHECK(os::find_file_content("/proc/self/stat"));  // its st_size is 0
}

TEST_CASE("a mapping that is moved is unmapped once", "[os]") {
    TempDir dir;
    os::write_atomic_file(dir / "file", std::string(4096, 'x'), 0600);
    const os::UniqueFd fd{::open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC)};
    os::MappedFile first{fd.get(), 0, 4096, os::MappedFile::Access::read};
    os::MappedFile second{std::move(first)};
    CHECK(second.data()[4095] == std::byte{'x'});
    CHECK_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move)
    CHECK_THROWS_AS(os::MappedFile(-1, 0, 4096, os::MappedFile::Access::read), std::system_error);
}
