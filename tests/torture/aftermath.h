#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hub/history/store.h"
#include "tests/torture/client.h"
#include "tests/torture/kill_log.h"
#include "tests/torture/truth.h"

namespace pp::torture {

/// After a storm: whether the hub's table, the system's processes, the files and the history agree with each other and with
/// what the programs say of themselves; whether anything has leaked; and what a shutdown and a clearing leave.
class Aftermath {
  public:
    Aftermath(Watchdog& dog, const test::Installation& installation, std::string truth_path, const KillLog& kills);

    void look();
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] std::uint64_t runs() const { return runs_; }
    [[nodiscard]] std::uint64_t unknown_exits() const { return unknown_exits_; }

  private:
    using Problems = std::vector<std::string>;
    using Descriptors = std::map<std::string, int>;  ///< how many of each kind

    /// What ends and begins just now settles within seconds; what does not is a violation.
    void eventually(const std::string& what, const std::function<Problems()>& problems);
    void violate(const std::string& what) { violations_.push_back(what); }

    // while all runs
    Problems table_problems();
    Problems zombies() const;
    void check_descriptors();
    void replace_shims(const std::vector<std::uint64_t>& processes);

    // when all has ended
    void shut_down();
    void check_history();
    void check_process(const hub::Store& store, const Truth& truth, std::uint64_t process);
    void check_run(const Truth& truth, std::uint64_t process, std::uint32_t run, const std::vector<rundir::Event>& events);
    [[nodiscard]] bool explains(const Truth::Run* told, std::uint64_t process, const rundir::Event& exit) const;
    void clear_all();

    [[nodiscard]] std::map<std::string, std::vector<pid_t>> living_by_program() const;
    static Descriptors descriptors_of(pid_t pid);

    Watchdog& dog_;
    const test::Installation& installation_;
    std::string truth_path_;
    const KillLog& kills_;
    Client client_;
    std::vector<std::string> violations_;
    std::uint64_t runs_ = 0;
    std::uint64_t unknown_exits_ = 0;
};

}  // namespace pp::torture
