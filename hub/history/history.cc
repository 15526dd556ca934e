#include "hub/history/history.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "hub/wall_clock.h"
#include "protocol/ring/state_page.h"
#include "protocol/wire/codec.h"

namespace pp::hub {
namespace {

constexpr std::chrono::milliseconds kFirstPause{1000};
constexpr std::chrono::milliseconds kLongestPause{30'000};
constexpr const char* kTakenOver = "what the processes' own files tell was taken over";

/// Whether a process's own file may hold events beyond `last`. The page tells without a look at the file.
bool may_have_more(const rundir::Home& home, std::uint64_t process, std::uint64_t last) {
    try {
        const auto state = ring::find_state(home.state_page(process));
        return !state || state->next_event > last + 1;
    } catch (const std::exception&) {
        return true;  // the damage is told elsewhere
    }
}

}  // namespace

struct History::Outcome {
    bool done = false;
    std::string problem;   ///< why not
    std::string replaced;  ///< why there is a new file since just now
};

/// Lives on the worker.
struct History::Shelf {
    rundir::Home home;
    std::unique_ptr<Store> store;
    std::set<std::uint64_t> forgotten;  // their files may still be there
    bool owes_rebuild = false;          // the store lacks what the files tell

    Store& open() {
        if (!store) {
            store = std::make_unique<Store>(home.history());
            owes_rebuild |= store->is_new();
        }
        return *store;
    }

    /// A new store gets what the processes' files still tell.
    void rebuild() {
        for (const auto process : home.known_processes()) {
            if (forgotten.contains(process)) continue;
            take_in(process, 0);
            try {
                if (const auto launch = rundir::find_launch(home.launch(process)))
                    store->note_process(*launch);
            } catch (const wire::BadMessage&) {
                // the damage is told where the process is shown
            }
        }
        owes_rebuild = false;
    }

    void take_in(std::uint64_t process, std::uint64_t last) {
        if (forgotten.contains(process) || !may_have_more(home, process, last)) return;
        Store::Events events;
        events[process] = rundir::read_events(home.events(process), last + 1);
        if (!events[process].empty()) open().record(events);
    }

    void run(const std::function<void(Store&)>& action, Outcome& outcome) {
        if (store && store->is_gone()) {
            store.reset();
            owes_rebuild = true;
            outcome.replaced = std::string{"the history was removed while it was in use; "} + kTakenOver;
        }
        open();
        if (owes_rebuild) rebuild();
        action(*store);
        outcome.done = true;
    }

    /// Runs an action; what is damaged is replaced, and the action runs again.
    Outcome attempt(const std::function<void(Store&)>& action) {
        Outcome outcome;
        for (int tries = 0; tries < 2; ++tries) {
            try {
                run(action, outcome);
                return outcome;
            } catch (const Store::Damaged& damaged) {
                store.reset();
                outcome.problem = damaged.what();
                const auto aside = move_aside(home.history(), wall_clock_ns());
                if (!aside) return outcome;
                outcome.replaced = "the history was damaged; it was moved to " + *aside + ", and " + kTakenOver;
            } catch (const std::exception& error) {
                store.reset();  // a connection that has met a broken disk may not get over it
                outcome.problem = error.what();
                return outcome;
            }
        }
        return outcome;
    }
};

History::History(EventLoop& loop, const rundir::Home& home, const Log& log, OnCommitted on_committed)
    : loop_{loop},
      log_{log},
      on_committed_{std::move(on_committed)},
      shelf_{std::make_shared<Shelf>(Shelf{home, nullptr, {}, false})},
      retry_{loop, [this] { flush(); }},
      retry_pause_{kFirstPause},
      worker_{loop} {}

/// What was not committed is on disk in the shims' files, un-acknowledged: the next hub gets it.
History::~History() = default;

void History::with_store(std::function<void(Store&)> action, std::function<void(const Outcome&)> then) {
    worker_.post(
        [this, shelf = shelf_, action = std::move(action), then = std::move(then)]() -> Worker::Then {
            Outcome outcome = shelf->attempt(action);
            return [this, then, outcome = std::move(outcome)] {
                note_outcome(outcome);
                if (then) then(outcome);
            };
        });
}

void History::note_outcome(const Outcome& outcome) {
    if (!outcome.replaced.empty()) {
        replaced_ = outcome.replaced;
        log_.say((outcome.problem.empty() ? "" : outcome.problem + "; ") + replaced_);
    }
    if (!outcome.done && outcome.problem != problem_) log_.say(outcome.problem);
    if (!outcome.done) problem_ = outcome.problem;
    else if (!in_flight_ && waiting_.empty()) note_recovery();  // that it can be read says nothing of writing
}

void History::note_recovery() {
    retry_pause_ = kFirstPause;
    if (!std::exchange(problem_, {}).empty()) log_.say("history: works again");
}

void History::open(std::vector<rundir::ProcessNumber> processes, std::function<void(Opened)> then) {
    struct Found {
        Opened opened;
        std::map<std::uint64_t, std::uint64_t> last;
    };
    auto found = std::make_shared<Found>();
    auto shelf = shelf_;
    const auto look = [found, shelf, processes = std::move(processes)](Store& store) {
        const auto last = store.last_events();
        for (const auto process : processes)
            shelf->take_in(process, last.contains(process) ? last.at(process) : 0);
        found->last = store.last_events();
        found->opened.highest_process = store.highest_process();
    };
    with_store(look, [this, found, then = std::move(then)](const Outcome&) {
        for (const auto& [process, number] : found->last) last_[process] = std::max(last_[process], number);
        then(found->opened);
    });
}

std::uint64_t History::last_event(std::uint64_t process) const {
    const auto found = last_.find(process);
    return found == last_.end() ? 0 : found->second;
}

bool History::add(std::uint64_t process, const rundir::Event& event) {
    if (has_forgotten(process)) return false;
    auto& last = last_[process];
    if (event.number <= last) return false;
    last = event.number;
    waiting_.events[process].push_back(event);
    flush_soon();
    return true;
}

/// All that this turn brings is one batch.
void History::flush_soon() {
    if (flush_due_ || in_flight_) return;
    flush_due_ = true;
    loop_.defer([this] { flush(); });
}

/// One batch at a time, so that a failed one is still before all that came later. To write one again does no harm.
void History::flush() {
    flush_due_ = false;
    if (in_flight_ || waiting_.empty()) return;
    in_flight_ = true;
    const auto batch = std::make_shared<const Writes>(std::exchange(waiting_, {}));
    with_store(
        [batch, shelf = shelf_](Store& store) {
            shelf->forgotten.insert(batch->forgotten.begin(), batch->forgotten.end());
            for (const auto& [process, launch] : batch->launches) store.note_process(launch);
            if (!batch->events.empty()) store.record(batch->events);
            for (const auto process : batch->forgotten) store.forget(process);
        },
        [this, batch](const Outcome& outcome) { on_flushed(*batch, outcome); });
}

void History::on_flushed(const Writes& batch, const Outcome& outcome) {
    in_flight_ = false;
    if (!outcome.done) {
        take_back(batch);
        retry_.set(retry_pause_);  // nobody tells when another has let go of it, or the disk has room
        retry_pause_ = std::min(retry_pause_ * 2, kLongestPause);
        return;
    }
    note_recovery();
    for (const auto& [process, events] : batch.events) {
        if (!has_forgotten(process)) on_committed_(process, events.back().number);
    }
    flush();
}

/// Before what came meanwhile; what was forgotten meanwhile is not wanted.
void History::take_back(const Writes& batch) {
    for (const auto& [process, events] : batch.events) {
        if (has_forgotten(process)) continue;
        auto& waiting = waiting_.events[process];
        waiting.insert(waiting.begin(), events.begin(), events.end());
    }
    for (const auto& [process, launch] : batch.launches) {
        if (!has_forgotten(process)) waiting_.launches.emplace(process, launch);
    }
    waiting_.forgotten.insert(batch.forgotten.begin(), batch.forgotten.end());
}

void History::catch_up(std::uint64_t process) {
    auto last = std::make_shared<std::uint64_t>(0);
    with_store(
        [process, last, shelf = shelf_](Store& store) {
            shelf->take_in(process, store.last_event(process));
            *last = store.last_event(process);
        },
        [this, process, last](const Outcome&) {
            if (!has_forgotten(process)) last_[process] = std::max(last_[process], *last);
        });
}

void History::note_process(const rundir::Launch& launch) {
    rundir::Launch noted = launch;
    noted.environment.clear();
    waiting_.launches[launch.process] = std::move(noted);
    flush_soon();
}

void History::note_hub(std::uint64_t epoch, int pid, std::int64_t time_ns) {
    with_store([=](Store& store) { store.note_hub(epoch, pid, time_ns, PP_VERSION); }, {});
}

void History::forget(std::uint64_t process) {
    forgotten_.insert(process);
    waiting_.events.erase(process);
    waiting_.launches.erase(process);
    waiting_.forgotten.insert(process);
    last_.erase(process);
    flush_soon();
}

void History::tell(std::uint64_t process, int max_runs, int max_events, std::function<void(Told)> then) {
    auto told = std::make_shared<Told>();
    if (problem_.empty()) flush();  // what has just happened is asked for as often as not
    with_store(
        [=](Store& store) {
            told->runs = store.runs(process, max_runs);
            told->events = store.events(process, max_events);
        },
        [told, then = std::move(then)](const Outcome& outcome) {
            told->problem = outcome.problem;
            then(std::move(*told));
        });
}

}  // namespace pp::hub
