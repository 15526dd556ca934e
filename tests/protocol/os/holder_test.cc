#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/proc.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using os::OfdLock;

namespace {

/// A process that has the lock, or nothing; ended with the test.
class Child {
  public:
    explicit Child(const std::string& path, long byte) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            const auto lock = OfdLock::try_take(path, byte);
            [[maybe_unused]] const auto said = ::write(ends[1], "x", 1);
            while (true) ::pause();
        }
        char ready = 0;
        REQUIRE(::read(ends[0], &ready, 1) == 1);
        for (const int end : ends) ::close(end);
    }
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("who holds a lock is found by pid, for the byte that was asked for", "[os][lock]") {
    const test::TempDir dir;
    const auto path = dir / "lock";
    const Child alive{path, OfdLock::kAlive};
    const Child starting{path, OfdLock::kStarting};
    CHECK(OfdLock::find_holder(path, OfdLock::kAlive) == alive.pid());
    CHECK(OfdLock::find_holder(path, OfdLock::kStarting) == starting.pid());
    CHECK(OfdLock::is_held_by(alive.pid(), path, OfdLock::kAlive));
    CHECK_FALSE(OfdLock::is_held_by(alive.pid(), path, OfdLock::kStarting));
    CHECK_FALSE(OfdLock::is_held_by(::getpid(), path, OfdLock::kAlive));
}

TEST_CASE("a description that holds both bytes holds each", "[os][lock]") {
    const test::TempDir dir;
    const auto path = dir / "lock";
    const auto lock = OfdLock::try_take(path, OfdLock::kAlive);
    struct flock other {};
    other.l_type = F_WRLCK;
    other.l_start = OfdLock::kStarting;
    other.l_len = 1;
    REQUIRE(::fcntl(lock->fd(), F_OFD_SETLK, &other) == 0);  // the kernel shows one range from now on
    CHECK(OfdLock::is_held_by(::getpid(), path, OfdLock::kAlive));
    CHECK(OfdLock::is_held_by(::getpid(), path, OfdLock::kStarting));
}

TEST_CASE("nobody holds a lock that is free, or a file that is not there", "[os][lock]") {
    const test::TempDir dir;
    CHECK(OfdLock::find_holder(dir / "lock") == 0);
    CHECK_FALSE(OfdLock::is_held_by(::getpid(), dir / "lock"));
    auto lock = OfdLock::try_take(dir / "lock");
    lock->release();
    CHECK(OfdLock::find_holder(dir / "lock") == 0);
}

TEST_CASE("a lock whose file was removed knows it, and its holder is found by the name that it had", "[os][lock]") {
    const test::TempDir dir;
    const auto path = dir / "lock";
    const auto lock = OfdLock::try_take(path);
    CHECK(lock->is_at(path));
    const auto program = os::find_program_path(::getpid()).value();
    const auto name = program.substr(program.rfind('/') + 1);
    CHECK(OfdLock::find_holders_of_removed(path, name).empty());
    REQUIRE(::unlink(path.c_str()) == 0);
    CHECK_FALSE(lock->is_at(path));
    const auto other = OfdLock::try_take(path);  // another file: it is free
    REQUIRE(other);
    CHECK_FALSE(lock->is_at(path));
    CHECK(OfdLock::find_holders_of_removed(path, name) == std::vector{::getpid()});
    CHECK(OfdLock::find_holders_of_removed(path, "another-program").empty());
}

TEST_CASE("proc tells what a process was started with, has open and has blocked", "[os][proc]") {
    const auto arguments = os::find_arguments(::getpid());
    REQUIRE_FALSE(arguments.empty());
    CHECK(os::find_program_path(::getpid()).value().ends_with(arguments[0].substr(arguments[0].rfind('/') + 1)));
    const auto fds = os::open_descriptors(::getpid());
    CHECK(std::count(fds.begin(), fds.end(), 0) == 1);
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set, &before);
    CHECK(os::blocks_signal(::getpid(), SIGHUP));
    CHECK_FALSE(os::blocks_signal(::getpid(), SIGUSR1));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK_FALSE(os::blocks_signal(::getpid(), SIGHUP));
}
