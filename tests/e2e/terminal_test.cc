#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

#include "protocol/os/c_strings.h"
#include "protocol/os/proc.h"
#include "tests/support/installation.h"

using namespace pp;
using test::Installation;

namespace {

/// `pp` on a terminal of its own.
class Terminal {
  public:
    Terminal(const Installation& pp, const std::vector<std::string>& words) {
        std::vector<std::string> arguments{pp.program("pp")};
        arguments.insert(arguments.end(), words.begin(), words.end());
        std::vector<std::string> entries{"TERM=xterm"};
        for (const auto& [name, value] : pp.environment()) entries.push_back(name + "=" + value);
        const os::CStrings argv{arguments};
        const os::CStrings envp{entries};
        int master = -1;
        pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
        if (pid_ == 0) {
            if (::chdir(pp.work().c_str()) == 0) ::execve(argv.get()[0], argv.get(), envp.get());
            ::_exit(127);
        }
        master_.reset(master);
    }
    ~Terminal() {
        close();
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    /// Sleeps until the terminal has shown this.
    void wait_for(const std::string& text) {
        while (shown_.find(text) == std::string::npos) {
            if (!read_more()) FAIL("ended without showing '" << text << "': " << shown_);
        }
    }
    void press(const std::string& keys) {
        REQUIRE(::write(master_.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    }
    void forget() { shown_.clear(); }
    void close() { master_.reset(); }
    int wait() {
        while (master_ && read_more()) {
        }
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    [[nodiscard]] const std::string& shown() const { return shown_; }

  private:
    bool read_more() {
        std::array<char, 4096> buffer;
        const ssize_t got = ::read(master_.get(), buffer.data(), buffer.size());
        if (got <= 0) return false;
        shown_.append(buffer.data(), static_cast<std::size_t>(got));
        return true;
    }

    pid_t pid_ = 0;
    os::UniqueFd master_;
    std::string shown_;
};

std::vector<std::string> server() {
    return {"run", "--name", "server", "sh", "-c", "trap 'echo ending; exit 15' TERM; echo up; while :; do sleep 1000 & wait; done"};
}

}  // namespace

TEST_CASE("on a terminal the first bytes are seen, and the exit code is the child's", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, {"run", "sh", "-c", "printf first; exit 7"}};
    terminal.wait_for("first");
    CHECK(terminal.wait() == 7);
    Terminal zero{pp, {"run", "true"}};
    CHECK(zero.wait() == 0);
    Terminal killed{pp, {"run", "sh", "-c", "kill -TERM $$"}};
    CHECK(killed.wait() == 128 + SIGTERM);
}

TEST_CASE("Ctrl-C and s stop the process, and its last words are shown", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, server()};
    terminal.wait_for("up");
    terminal.press("\x03");
    terminal.wait_for("stop");
    terminal.press("s");
    terminal.wait_for("ending");
    CHECK(terminal.wait() == 15);
}

TEST_CASE("Ctrl-C and d leave it running, and say how to come back", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, server()};
    terminal.wait_for("up");
    terminal.press("\x03");
    terminal.wait_for("detach");
    terminal.press("d");
    CHECK(terminal.wait() == 0);
    CHECK_THAT(terminal.shown(), Catch::Matchers::Contains("pp logs -f server"));
    CHECK(pp.pp_json({"status", "server"})["process"]["state"] == "running");
}

TEST_CASE("Ctrl-C and k go on watching; a second Ctrl-C at the question detaches", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, server()};
    terminal.wait_for("up");
    terminal.press("\x03");
    terminal.wait_for("keep");
    terminal.press("k");
    terminal.wait_for("keep watching\r");
    const auto pid = pp.pp_json({"status", "server"})["process"]["pid"].get<int>();
    terminal.forget();
    terminal.press("\x03");
    terminal.wait_for("detaches: ");
    terminal.press("\x03");
    CHECK(terminal.wait() == 0);
    CHECK(os::find_proc_stat(pid));
}

TEST_CASE("the question is dropped when the process ends meanwhile, and its exit code is kept", "[e2e][terminal]") {
    Installation pp;
    const auto fifo = pp.work() + "/go";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    Terminal terminal{pp, {"run", "--name", "short", "sh", "-c", "echo up; read word < go; echo last words; exit 4"}};
    terminal.wait_for("up");
    terminal.press("\x03");
    terminal.wait_for("detaches: ");
    CHECK(os::UniqueFd{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)});  // its end is the word
    CHECK(terminal.wait() == 4);
    CHECK_THAT(terminal.shown(), Catch::Matchers::Contains("short has ended meanwhile"));
    CHECK_THAT(terminal.shown(), Catch::Matchers::Contains("last words"));
}

TEST_CASE("what was killed while it was asked about is not said to be left running", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, {"run", "--name", "deaf", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1000 & wait; done"}};
    terminal.wait_for("up");
    terminal.press("\x03");
    terminal.wait_for("detaches: ");
    terminal.press("s");
    terminal.wait_for("KILL follows in 5 s, or at once after Ctrl-C and s");
    terminal.forget();
    terminal.press("\x03");
    terminal.wait_for("detaches: ");
    CHECK(pp.pp({"stop", "--force", "deaf"}).code == 0);
    CHECK(terminal.wait() == 128 + SIGKILL);
    CHECK(terminal.shown().find("left running") == std::string::npos);
}

TEST_CASE("closing the terminal leaves the process running", "[e2e][terminal]") {
    Installation pp;
    Terminal terminal{pp, server()};
    terminal.wait_for("up");
    const auto pid = pp.pp_json({"status", "server"})["process"]["pid"].get<int>();
    terminal.close();
    terminal.wait();
    const auto stat = os::find_proc_stat(pid);
    REQUIRE(stat);
    CHECK(stat->state != 'Z');
    CHECK(pp.hub_pid() != 0);
    CHECK(pp.pp({"stop", "server"}).code == 0);
}
