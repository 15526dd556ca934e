#include "shim/main_exit.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>

#include "protocol/os/proc.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using ring::ExitKind;

namespace {

/// A main whose shim and keeper have died: the child of somebody who reaps it when he is told to, as PID 1 would.
class Stranger {
  public:
    explicit Stranger(int code) {
        std::array<int, 2> told{};
        std::array<int, 2> reap{};
        REQUIRE((::pipe2(told.data(), O_CLOEXEC) == 0 && ::pipe2(reap.data(), O_CLOEXEC) == 0));
        parent_ = ::fork();
        if (parent_ == 0) {
            const pid_t child = ::fork();
            if (child == 0) {
                ::raise(SIGSTOP);
                ::_exit(code);
            }
            ::waitpid(child, nullptr, WUNTRACED);
            [[maybe_unused]] auto done = ::write(told[1], &child, sizeof child);
            char order = 0;
            done = ::read(reap[0], &order, 1);
            ::waitpid(child, nullptr, 0);
            done = ::write(told[1], &order, 1);
            while (true) ::pause();
        }
        pid_t pid = 0;
        REQUIRE(::read(told[0], &pid, sizeof pid) == sizeof pid);
        process = std::move(*os::PidFd::find(pid));
        start_time = os::find_proc_stat(pid)->start_time;
        told_ = os::UniqueFd{told[0]};
        reap_ = os::UniqueFd{reap[1]};
        ::close(told[1]);
        ::close(reap[0]);
    }
    ~Stranger() {
        process.send_signal(SIGKILL);
        ::kill(parent_, SIGKILL);
        ::waitpid(parent_, nullptr, 0);
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;

    void end() const {
        process.send_signal(SIGCONT);
        process.wait_for_end();
    }
    void be_reaped() const {
        char done = 'x';
        REQUIRE(::write(reap_.get(), &done, 1) == 1);
        REQUIRE(::read(told_.get(), &done, 1) == 1);
    }

    os::PidFd process;
    std::uint64_t start_time = 0;

  private:
    pid_t parent_ = 0;
    os::UniqueFd told_;
    os::UniqueFd reap_;
};

ring::StatePage empty_page(const test::TempDir& dir) {
    return ring::StatePage::create(dir / "p1.state", 1, {}, ring::Geometry::for_capacity(ring::kMinCapacity), 0);
}

// A kernel of before Linux 6.15 has no other way.
const shim::AskStranger kOldKernel = os::find_exit_of_zombie;

}  // namespace

TEST_CASE("how main ended is read from its zombie, by any kernel, whoever is its parent now", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = empty_page(dir);
    const Stranger main{6};
    CHECK_FALSE(shim::find_main_exit(main.process, main.start_time, page, 0));
    main.end();
    for (const auto& kernel : {kOldKernel, shim::AskStranger{os::find_exit_of_stranger}}) {
        const auto exit = shim::find_main_exit(main.process, main.start_time, page, 0, kernel);
        REQUIRE(exit);
        CHECK(exit->kind == ExitKind::exited);
        CHECK(exit->value == 6);
    }
}

TEST_CASE("how a main ended that somebody has reaped is told by the kernel, or by nobody, and never invented", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = empty_page(dir);
    const Stranger main{6};
    main.end();
    main.be_reaped();
    const auto unknown = shim::find_main_exit(main.process, main.start_time, page, 0, kOldKernel);
    REQUIRE(unknown);
    CHECK(unknown->kind == ExitKind::unknown);
    CHECK(unknown->value == 0);
    const auto told = shim::find_main_exit(main.process, main.start_time, page, 0);
    REQUIRE(told);
    if (!os::find_exit_of_reaped(main.process)) {
        WARN("this kernel has no PIDFD_GET_INFO");
        return;
    }
    CHECK(told->kind == ExitKind::exited);
    CHECK(told->value == 6);
}

TEST_CASE("the keeper's record goes before what the system says of one that is reaped, and only of that main", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = empty_page(dir);
    const Stranger main{6};
    main.end();
    main.be_reaped();
    ring::OrphanExit record;
    record.pid = main.process.pid();
    record.start_time = main.start_time;
    record.kind = ExitKind::signaled;
    record.value = SIGSEGV;
    REQUIRE(ring::store_orphan(page.fd(), record));
    CHECK(shim::find_main_exit(main.process, main.start_time, page, 0, kOldKernel)->value == SIGSEGV);
    record.start_time += 1;
    REQUIRE(ring::store_orphan(page.fd(), record));
    CHECK(shim::find_main_exit(main.process, main.start_time, page, 0, kOldKernel)->kind == ExitKind::unknown);
}

TEST_CASE("as long as the keeper is main's parent, its word is waited for", "[shim][exit]") {
    const test::TempDir dir;
    const auto page = empty_page(dir);
    const Stranger main{6};
    main.end();
    const pid_t keeper = os::find_proc_stat(main.process.pid())->parent;
    CHECK_FALSE(shim::find_main_exit(main.process, main.start_time, page, keeper));
}
