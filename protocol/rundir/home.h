#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/unique_fd.h"

namespace pp::rundir {

using Environment = std::map<std::string, std::string>;

/// Number of a process for ever: 12 is said `p12`.
using ProcessNumber = std::uint64_t;

std::string process_id(ProcessNumber number);
/// "p12" → 12; nothing for any other text.
std::optional<ProcessNumber> find_process_number(const std::string& id);

/// Where everything of one user lies. The one place that spells these names.
///
///     run/    hub.lock hub.epoch shims.sock control.sock mcp.sock keeper.lock keeper.sock p12.sock p12.state
///     state/  token next_id next_event history.db log/ projects/
///             processes/p12/{launch,lock,out.ring,build.ring,exit,heads,events,given_up}
///     config/ config.toml
class Home {
  public:
    /// PP_HOME, or /tmp/pp-<uid> for run/ (from the uid alone, as tmux does: $XDG_RUNTIME_DIR vanishes at logout and
    /// differs under su, cron and in containers) and the XDG directories for the rest. Throws std::runtime_error, in words
    /// for the person, if a path is relative or a socket path would pass 107 bytes.
    static Home from_environment(const Environment& environment, unsigned uid);

    [[nodiscard]] const std::string& run() const { return run_; }
    [[nodiscard]] const std::string& state() const { return state_; }
    [[nodiscard]] const std::string& config() const { return config_; }
    /// What a program that we start must find in its environment to come to the same home.
    [[nodiscard]] std::vector<std::string> environment() const;

    [[nodiscard]] std::string hub_lock() const { return run_ + "/hub.lock"; }
    [[nodiscard]] std::string hub_epoch() const { return run_ + "/hub.epoch"; }
    [[nodiscard]] std::string shims_socket() const { return run_ + "/shims.sock"; }
    [[nodiscard]] std::string control_socket() const { return run_ + "/control.sock"; }
    [[nodiscard]] std::string mcp_socket() const { return run_ + "/mcp.sock"; }
    [[nodiscard]] std::string keeper_lock() const { return run_ + "/keeper.lock"; }
    [[nodiscard]] std::string keeper_socket() const { return run_ + "/keeper.sock"; }
    [[nodiscard]] std::string shim_socket(ProcessNumber n) const { return run_ + "/" + process_id(n) + ".sock"; }
    [[nodiscard]] std::string state_page(ProcessNumber n) const { return run_ + "/" + process_id(n) + ".state"; }

    [[nodiscard]] std::string token() const { return state_ + "/token"; }
    [[nodiscard]] std::string next_id() const { return state_ + "/next_id"; }
    [[nodiscard]] std::string next_event() const { return state_ + "/next_event"; }
    [[nodiscard]] std::string history() const { return state_ + "/history.db"; }
    [[nodiscard]] std::string log(const std::string& program) const { return state_ + "/log/" + program + ".log"; }
    [[nodiscard]] std::string projects() const { return state_ + "/projects"; }
    [[nodiscard]] std::string processes() const { return state_ + "/processes"; }
    [[nodiscard]] std::string process(ProcessNumber n) const { return processes() + "/" + process_id(n); }
    /// Its directory while it is being removed; no process's to whoever looks for them.
    [[nodiscard]] std::string cleared(ProcessNumber n) const { return processes() + "/cleared-" + process_id(n); }
    [[nodiscard]] std::string launch(ProcessNumber n) const { return process(n) + "/launch"; }
    [[nodiscard]] std::string process_lock(ProcessNumber n) const { return process(n) + "/lock"; }
    [[nodiscard]] std::string ring(ProcessNumber n) const { return process(n) + "/out.ring"; }
    [[nodiscard]] std::string heads(ProcessNumber n) const { return process(n) + "/heads"; }
    [[nodiscard]] std::string exit(ProcessNumber n) const { return process(n) + "/exit"; }
    [[nodiscard]] std::string events(ProcessNumber n) const { return process(n) + "/events"; }
    [[nodiscard]] std::string given_up(ProcessNumber n) const { return process(n) + "/given_up"; }
    [[nodiscard]] std::string user_config() const { return config_ + "/config.toml"; }

    /// Makes run/ and state/ (0700) where they are missing. Throws std::runtime_error if run/ is not a directory of ours
    /// alone: another owner, a symlink, or modes open to others, with what would be right.
    void prepare() const;

    /// flock(LOCK_SH) on run/, so that systemd-tmpfiles does not age it. Held by hub, keeper and every shim for as long as
    /// the descriptor lives.
    [[nodiscard]] os::UniqueFd hold() const;

    /// Numbers found under state/processes, ascending.
    [[nodiscard]] std::vector<ProcessNumber> known_processes() const;

  private:
    std::string run_;
    std::string state_;
    std::string config_;
    std::string pp_home_;
};

/// The listening hub as run/hub.epoch says: lines `key value`.
struct HubEpoch {
    std::uint64_t epoch = 0;  ///< random, another one for each hub
    int pid = 0;
    std::uint64_t start_time = 0;  ///< of pid, clock ticks since boot
    std::string version;
    int port = 0;  ///< 0: no TCP
};
std::optional<HubEpoch> find_hub_epoch(const Home& home);
void write_hub_epoch(const Home& home, const HubEpoch& epoch);

/// Environment of this program as a map.
Environment current_environment(char** environ);

}  // namespace pp::rundir
