#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/os/pid_fd.h"
#include "protocol/os/unique_fd.h"
#include "protocol/ring/reader.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/home.h"
#include "protocol/rundir/launch.h"
#include "protocol/wire/keeper_messages.h"
#include "tests/support/directory_watch.h"

namespace pp::test {

/// A home of its own with a keeper and shims, and no hub: the test plays the hub's part. Ends all that it started, by pid,
/// and removes the home.
class World {
  public:
    World();
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] const rundir::Home& home() const { return home_; }

    /// A launch of this command with a plain environment.
    [[nodiscard]] rundir::Launch launch(std::uint64_t process, std::vector<std::string> argv) const;
    [[nodiscard]] rundir::Launch shell(std::uint64_t process, const std::string& script) const;
    /// Writes the launch file and has the keeper start a shim. Returns the shim's pid.
    pid_t start(const rundir::Launch& launch);
    /// Has the keeper start a shim for what is there; the answer's errno if it refuses.
    pid_t spawn(std::uint64_t process, bool takeover = false);

    /// What a hub does when a shim has died: the keeper has started a successor by itself, or does now.
    void ensure_shim(std::uint64_t process);

    [[nodiscard]] ring::StateSnapshot state(std::uint64_t process) const;
    /// Sleeps on the state page until the predicate holds; returns the state in which it did.
    ring::StateSnapshot wait_until(std::uint64_t process, const std::function<bool(const ring::StateSnapshot&)>& holds);
    ring::StateSnapshot wait_until_running(std::uint64_t process, std::uint32_t run = 1);
    /// Until main of this run has ended (state finished).
    ring::StateSnapshot wait_until_finished(std::uint64_t process, std::uint32_t run = 1);
    /// Until the shim has said goodbye: all is drained and told.
    ring::StateSnapshot wait_until_drained(std::uint64_t process);
    /// Until the output contains the text.
    void wait_for_output(std::uint64_t process, const std::string& text);

    struct Output {
        std::string text;
        std::uint64_t lost = 0;
        std::uint64_t end = 0;
    };
    [[nodiscard]] Output output(std::uint64_t process, std::optional<ring::Stream> stream = {}) const;
    [[nodiscard]] std::vector<rundir::Event> events(std::uint64_t process) const;

    /// SIGKILL, and sleeps until it is dead.
    static void kill_hard(pid_t pid);
    [[nodiscard]] pid_t keeper_pid();
    /// Sleeps until a keeper other than `old` listens, whoever started it.
    pid_t wait_for_keeper(pid_t old);
    /// Until the keeper has so many shims and holds so many descriptors. Nobody tells of deposits: it is asked again when it
    /// has answered, and each question comes behind what it was told before.
    void wait_until_kept(std::int32_t shims, std::uint32_t descriptors);
    /// Sleeps until the keeper tells that this became of a shim of the process (`flag` of shim_gone).
    void wait_for_gone(std::uint64_t process, std::uint8_t flag);
    [[nodiscard]] std::string keeper_log() const;
    /// Lets go of the keeper: to it, the hub is gone.
    void leave_keeper() { keeper_.reset(); }
    /// Kills the keeper; the next spawn starts another, or a shim has.
    void kill_keeper();
    /// Sleeps until a shim other than `old` has published itself.
    ring::StateSnapshot wait_for_successor(std::uint64_t process, pid_t old);
    void connect_keeper();
    /// Asks the keeper to go on as this program. What it answers: status_is, with flag 1, or refused.
    wire::KeeperMessage upgrade_keeper(const std::string& program);
    /// Sends a message that has no answer.
    void tell_keeper(const wire::KeeperMessage& message);

  private:
    wire::KeeperMessage ask(const wire::KeeperMessage& message);
    std::optional<wire::KeeperMessage> receive();

    std::string root_;
    rundir::Home home_;
    os::UniqueFd keeper_;
    std::vector<wire::KeeperMessage> gone_;  ///< what the keeper has told of shims
    std::optional<DirectoryWatch> run_watch_;
};

}  // namespace pp::test
