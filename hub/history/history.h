#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/event_loop.h"
#include "hub/history/store.h"
#include "hub/log.h"
#include "hub/shims/subscription.h"
#include "hub/worker.h"
#include "protocol/rundir/home.h"

namespace pp::hub {

/// The history for the loop's thread: keeps what is to be written until the worker has committed it, in batches of a
/// turn or more, and says so; a store that is locked or full is tried again, one that is damaged or was removed is
/// replaced and filled anew. A process that was forgotten does not come back, whatever was under way or is told late.
class History {
  public:
    /// `on_committed`: events of this process up to this number are safe.
    using OnCommitted = std::function<void(std::uint64_t process, std::uint64_t number)>;

    History(EventLoop& loop, const rundir::Home& home, const Log& log, OnCommitted on_committed);
    ~History();

    struct Opened {
        std::uint64_t highest_process = 0;
    };
    /// Opens the store, takes in what the files of these processes have beyond it (nobody was there when it
    /// happened), and then calls back, once; also when the store cannot be had for now.
    void open(std::vector<rundir::ProcessNumber> processes, std::function<void(Opened)> then);

    /// Number of the last event that is known of a process, stored or about to be.
    [[nodiscard]] std::uint64_t last_event(std::uint64_t process) const;
    /// False if it is known already, or nobody wants to know it any more.
    bool add(std::uint64_t process, const rundir::Event& event);
    /// What the hub itself saw happen, now.
    void note(HubEventKind kind, std::uint64_t process = 0, std::string text = {});
    /// Takes in what the process's own file has beyond the store: its shim is gone for good.
    void catch_up(std::uint64_t process);
    void note_process(const rundir::Launch& launch);
    void note_hub(std::uint64_t epoch, int pid, std::int64_t time_ns);
    void forget(std::uint64_t process);

    struct Told {
        std::vector<RunRecord> runs;        ///< newest first
        std::vector<rundir::Event> events;  ///< newest first
        std::string problem;                ///< why there may be more than this
    };
    /// Calls back at once where nothing has happened to the process since the last time.
    void tell(std::uint64_t process, int max_runs, int max_events, std::function<void(Told)> then);

    struct Found {
        EventPage page;
        std::string problem;  ///< empty, or why the history could not be asked: the page is empty then
    };
    /// All that was committed before is among it.
    void find_events(EventQuery query, std::function<void(Found)> then);
    /// Calls whenever events may be found that were not there before.
    Subscription on_news(std::function<void()> callback);

    /// Empty, or what is wrong with it now, for a person.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    /// Empty, or what became of an earlier file: damaged and moved aside, or removed.
    [[nodiscard]] const std::string& replaced() const { return replaced_; }

  private:
    struct Shelf;
    struct Outcome;
    /// What is to be written, and stays so until it is.
    struct Writes {
        Store::Events events;
        std::map<std::uint64_t, rundir::Launch> launches;
        std::set<std::uint64_t> unread;  ///< their own files may tell more than the store has
        std::map<std::uint64_t, std::int64_t> forgotten;  ///< when
        [[nodiscard]] bool empty() const {
            return events.empty() && launches.empty() && unread.empty() && forgotten.empty();
        }
    };
    /// What was told of a process.
    struct Kept {
        int max_runs = 0;
        int max_events = 0;
        Told told;
    };
    /// Last events, by process.
    using Last = std::map<std::uint64_t, std::uint64_t>;

    /// Runs `action` with the open store on the worker; `then` with how it went on the loop.
    void with_store(std::function<void(Store&)> action, std::function<void(const Outcome&)> then);
    void flush_soon();
    void flush();
    void on_flushed(const Writes& batch, const Last& read, const Outcome& outcome);
    void take_back(const Writes& batch);
    void note_last(const Last& last);
    void note_change(std::uint64_t process);
    void note_change_of_all();
    void tell_news();
    [[nodiscard]] bool has_forgotten(std::uint64_t process) const { return forgotten_.contains(process); }
    void note_outcome(const Outcome& outcome);
    void note_recovery();

    EventLoop& loop_;
    const Log& log_;
    OnCommitted on_committed_;
    std::shared_ptr<Shelf> shelf_;  ///< the worker's: what it owns is touched by jobs alone
    Writes waiting_;
    std::set<std::uint64_t> forgotten_;
    Last last_;
    std::uint64_t newest_ = 0;  ///< number of an event, as last heard from the store
    std::map<std::uint64_t, std::function<void()>> news_;
    std::map<std::uint64_t, Kept> kept_;  ///< until something happens to the process
    std::uint64_t changes_ = 0;           ///< so far, of any
    std::uint64_t next_subscription_ = 1;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    bool flush_due_ = false;
    bool in_flight_ = false;
    std::string problem_;
    std::string replaced_;
    EventLoop::Timer retry_;
    std::chrono::milliseconds retry_pause_;
    Worker worker_;
};

}  // namespace pp::hub
