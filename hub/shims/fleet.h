#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "hub/event_loop.h"
#include "hub/history/history.h"
#include "hub/log.h"
#include "hub/process/registry.h"
#include "hub/shims/keeper_client.h"
#include "hub/shims/marked_stop.h"
#include "hub/shims/roster.h"
#include "hub/worker.h"
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
    };
    Fleet(Parts parts, wire::Context& context, std::uint64_t epoch);
    ~Fleet();

    /// Finds what lives: kicks every socket in run/, and gives a shim to what has lost it.
    void adopt();

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

    [[nodiscard]] std::size_t shims() const { return roster_.size(); }
    [[nodiscard]] int shim_pid(std::uint64_t process) const { return roster_.shim_pid(process); }
    [[nodiscard]] std::set<int> shim_pids() const { return roster_.shim_pids(); }
    [[nodiscard]] int keeper_pid() const { return keeper_.keeper_pid(); }
    /// Empty, or why a process cannot be commanded or has nobody to look after it, for a person.
    [[nodiscard]] std::string trouble(std::uint64_t process) const;

  private:
    struct Begin;

    void kick(std::uint64_t process);
    bool needs_shim(const rundir::ProcessFiles& files) const;
    void want_shim(std::uint64_t process);
    void stop_marked(std::uint64_t process, const wire::Stop& stop, Roster::OnAnswer then);
    void on_hello(std::uint64_t process);
    void on_event(std::uint64_t process, const rundir::Event& event);
    void on_death(std::uint64_t process);
    void await_shim(std::uint64_t process, std::chrono::milliseconds limit);
    void on_shim_gone(std::uint64_t process, KeeperClient::Gone how);
    void on_keeper_lost();
    void spawn_for(std::uint64_t process);
    void advance(std::uint64_t process);
    void end_begin(std::uint64_t process, const std::string& problem);
    void check_begun(std::uint64_t process);

    Parts parts_;
    std::uint64_t epoch_;
    KeeperClient keeper_;
    std::map<std::uint64_t, std::unique_ptr<Begin>> begins_;  ///< runs that are about to begin
    std::map<std::uint64_t, std::unique_ptr<EventLoop::Timer>>
        orphaned_;  ///< have lost their shim, or have one that has not said Hello; the keeper should tell
    std::map<std::uint64_t, std::string> given_up_;
    std::map<std::uint64_t, std::unique_ptr<MarkedStop>> marked_stops_;
    Roster roster_;
};

}  // namespace pp::hub
