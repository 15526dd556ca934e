#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "protocol/os/pid_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/rundir/home.h"

namespace pp::test {

/// How a program that the test ran has ended, and what it said.
struct Ran {
    int code = -1;    ///< exit code, 128 + n for a signal
    std::string out;
    std::string err;
    long max_resident_kib = 0;
    long cpu_ms = 0;
};

/// A program that runs beside the test, with both its streams kept.
class Running {
  public:
    Running(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
            const std::string& directory);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    [[nodiscard]] pid_t pid() const { return process_.pid(); }
    /// Sleeps until stdout holds this text; throws if it ends without.
    void wait_for_output(const std::string& text);
    void wait_for_error(const std::string& text);
    void write(const std::string& text);
    void close_input() { input_.reset(); }
    void signal(int number) const { process_.send_signal(number); }
    /// Sleeps until both streams are at their end and it has ended.
    Ran wait();
    [[nodiscard]] const std::string& out() const { return ran_.out; }

  private:
    bool read_more();

    os::PidFd process_;
    os::UniqueFd input_;
    os::UniqueFd out_;
    os::UniqueFd err_;
    Ran ran_;
    bool ended_ = false;
};

/// The four programs under a home of their own, used as a person would. Ends all that came of it, by pid, and removes it.
class Installation {
  public:
    /// In a directory of its own in `parent`.
    explicit Installation(const std::string& parent = "/tmp");
    ~Installation();
    Installation(const Installation&) = delete;
    Installation& operator=(const Installation&) = delete;

    [[nodiscard]] const rundir::Home& home() const { return home_; }
    [[nodiscard]] const std::string& root() const { return root_; }
    /// A directory for processes to run in.
    [[nodiscard]] std::string work() const { return root_ + "/work"; }
    [[nodiscard]] std::map<std::string, std::string> environment() const { return environment_; }
    void set(const std::string& name, const std::string& value) { environment_[name] = value; }

    /// Runs `pp` with these words to its end.
    Ran pp(const std::vector<std::string>& words, const std::string& input = {});
    /// The same for one that prints JSON; fails the test if it does not.
    nlohmann::json pp_json(std::vector<std::string> words);
    std::unique_ptr<Running> start_pp(const std::vector<std::string>& words);

    [[nodiscard]] pid_t hub_pid() const;
    /// Of the hub that runs.
    [[nodiscard]] std::uint16_t mcp_port() const;
    [[nodiscard]] pid_t keeper_pid() const;
    [[nodiscard]] pid_t shim_pid(const std::string& id) const;
    /// Sleeps until the shim of a process that has finished has told all, and has gone.
    void wait_until_told(const std::string& id) const;
    /// Sleeps until the hub's log holds this text.
    void wait_for_hub_log(const std::string& text) const;
    /// SIGKILL, and sleeps until it is dead.
    static void kill_hard(pid_t pid);
    /// All that lives of this home: the programs of pp and what they run. A zombie does not.
    [[nodiscard]] std::vector<pid_t> living() const;
    /// Ends all of them.
    void end_all() const;
    [[nodiscard]] std::string program(const std::string& name) const { return programs_ + "/" + name; }
    /// From now on the programs are copies in a directory of this home, as another build would be.
    void copy_programs();

  private:
    std::string root_;
    std::string programs_;
    rundir::Home home_;
    std::map<std::string, std::string> environment_;
};

}  // namespace pp::test
