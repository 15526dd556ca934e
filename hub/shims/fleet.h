#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/event_loop.h"
#include "hub/history/history.h"
#include "hub/log.h"
#include "hub/process/registry.h"
#include "hub/shims/keeper_client.h"
#include "hub/shims/marked_stop.h"
#include "hub/shims/patience.h"
#include "hub/shims/roster.h"
#include "hub/worker.h"
#include "protocol/os/pid_fd.h"
#include "protocol/rundir/home.h"
#include "protocol/wire/channel.h"

namespace pp::hub {

/// All shims, and how to have one: brings keeper, roster and files together. Whatever is asked of a process
/// is carried to its shim, to the one that is about to come back, or to a new one.
class Fleet {
  public:
    struct Parts {
        EventLoop& loop;
        Worker& worker;
        const rundir::Home& home;
        const Log& log;
        Registry& registry;
        History& history;
        /// Somebody is not found, or does not find us: are the hub's own names in the run directory still?
        std::function<void()> on_names_gone;
    };
    Fleet(Parts parts, wire::Context& context, std::uint64_t epoch);
    ~Fleet();

    /// Finds what lives: kicks every socket in run/, and gives a shim to what has lost it. `then` is called when those
    /// whose names were removed from there have put them back, or do not.
    void adopt(std::function<void()> then);

    struct RunOrder {
        std::uint32_t run = 1;  ///< the number that the new run gets
        bool replace = false;   ///< stop a live one first
        int signal = SIGTERM;
        std::chrono::milliseconds grace{5000};
    };
    /// Begins a run of what the launch file says. Ends when the run has begun, could not be started, or was
    /// refused: the empty text means the run's number stands in the page now.
    void begin_run(std::uint64_t process, RunOrder order,
                   std::function<void(const std::string& problem)> then);

    /// One whose page is in doubt is ended by its mark, without its shim.
    void stop(std::uint64_t process, wire::Stop stop, Roster::OnAnswer then);
    void input(std::uint64_t process, wire::Input input, Roster::OnAnswer then);
    void resize(std::uint64_t process, wire::Resize resize, Roster::OnAnswer then);
    Subscription on_output(std::uint64_t process, std::uint64_t cursor, std::function<void()> callback) {
        return roster_.on_output(process, cursor, std::move(callback));
    }
    void acknowledge(std::uint64_t process, std::uint64_t number) { roster_.acknowledge(process, number); }

    /// Its state is being looked at, and whether its shim answers matters: it is asked.
    void look_at(std::uint64_t process);
    /// Has shims put back their page and socket, which have been removed from the run directory.
    void restore_names(const std::vector<std::uint64_t>& processes);
    /// It was cleared.
    void forget(std::uint64_t process) { keeper_.forget(process); }

    /// What became of a part of pp that should go on as the program that lies there now.
    struct Upgrade {
        enum class Result {
            upgraded,
            current,  ///< it is of this build already, or there is none
            left,     ///< as it was, for a reason
            failed    ///< its successor did not come up
        };
        struct Program {
            int pid = 0;
            std::string version;  ///< empty: not known
            std::string build;    ///< the linker's id; empty: it has none
        };
        Result result = Result::current;
        std::string why;  ///< it was left, or failed
        Program from;
        Program to;
    };
    using OnUpgraded = std::function<void(const Upgrade&)>;
    /// The shim of a process: makes room for a successor, or is killed if it does not know how to, and ends when the
    /// successor has said Hello.
    void upgrade_shim(std::uint64_t process, OnUpgraded then);
    void upgrade_keeper(OnUpgraded then);
    /// Shims that execute another build than lies there now.
    [[nodiscard]] std::vector<std::uint64_t> outdated_shims() const;
    [[nodiscard]] bool has_outdated_keeper() const;

    [[nodiscard]] std::size_t shims() const { return roster_.size(); }
    [[nodiscard]] int shim_pid(std::uint64_t process) const { return roster_.shim_pid(process); }
    [[nodiscard]] std::set<int> shim_pids() const { return roster_.shim_pids(); }
    [[nodiscard]] int keeper_pid() const { return keeper_.keeper_pid(); }
    /// Empty, or why a process cannot be commanded or has nobody to look after it, for a person.
    [[nodiscard]] std::string trouble(std::uint64_t process) const;

  private:
    struct Begin;
    struct Succession;

    bool kick(std::uint64_t process);
    void call_for(std::uint64_t process);
    void await_hello(std::uint64_t process);
    void on_hung(std::uint64_t process);
    void look_for_hanging(std::uint64_t process);
    void end_hanging(std::uint64_t process, std::optional<os::PidFd> shim, const std::string& why);
    void note_named(std::uint64_t process);
    void end_upgrade(std::uint64_t process, const std::string& problem,
                     Upgrade::Result otherwise = Upgrade::Result::failed);
    bool needs_shim(const rundir::ProcessFiles& files) const;
    void want_shim(std::uint64_t process);
    void stop_marked(std::uint64_t process, const wire::Stop& stop, Roster::OnAnswer then);
    void on_hello(std::uint64_t process);
    void on_event(std::uint64_t process, const rundir::Event& event);
    void on_death(std::uint64_t process);
    void await_shim(std::uint64_t process, std::chrono::milliseconds limit);
    void on_shim_gone(std::uint64_t process, KeeperClient::Gone how);
    void on_given_up(std::uint64_t process);
    void on_keeper_lost();
    void spawn_for(std::uint64_t process);
    void advance(std::uint64_t process);
    void end_begin(std::uint64_t process, const std::string& problem);
    void check_begun(std::uint64_t process);

    struct Hunted {
        os::PidFd shim;
        std::unique_ptr<EventLoop::Watch> death;
    };

    Parts parts_;
    std::uint64_t epoch_;
    KeeperClient keeper_;
    std::map<std::uint64_t, std::unique_ptr<Begin>> begins_;  ///< runs that are about to begin
    std::map<std::uint64_t, std::unique_ptr<EventLoop::Timer>>
        orphaned_;  ///< have lost their shim, or have one that has not said Hello; the keeper should tell
    std::map<std::uint64_t, std::string> given_up_;
    std::map<std::uint64_t, std::string> told_given_up_;  ///< why, as it stands in the history
    std::map<std::uint64_t, std::unique_ptr<Patience>> awaited_;  ///< should say Hello
    std::map<std::uint64_t, Hunted> hunted_;                      ///< killed before they said Hello
    std::map<std::uint64_t, std::unique_ptr<Succession>> successions_;
    std::set<std::uint64_t> nameless_;  ///< whose names are gone, and that were told
    std::function<void()> then_adopted_;
    EventLoop::Timer name_limit_;
    std::map<std::uint64_t, std::unique_ptr<MarkedStop>> marked_stops_;
    Roster roster_;
};

}  // namespace pp::hub
