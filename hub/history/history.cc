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
constexpr std::size_t kMostKept = 64;
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

/// As they happened; of each process in its own order, whatever its clock said meanwhile.
void sort_by_time(std::vector<ShimEvent>& events) {
    std::map<std::uint64_t, std::int64_t> latest;
    std::vector<std::pair<std::int64_t, std::size_t>> order;
    for (std::size_t i = 0; i < events.size(); ++i) {
        auto& time = latest[events[i].process];
        time = std::max(time, events[i].event.time_ns);
        order.emplace_back(time, i);
    }
    std::sort(order.begin(), order.end());
    std::vector<ShimEvent> sorted;
    sorted.reserve(events.size());
    for (const auto& [time, i] : order) sorted.push_back(events[i]);
    events = std::move(sorted);
}

}  // namespace

struct History::Outcome {
    bool done = false;
    std::string problem;   ///< why not
    std::string replaced;  ///< why there is a new file since just now
    std::uint64_t newest = 0;  ///< number of an event
};

/// Lives on the worker.
struct History::Shelf {
    rundir::Home home;
    std::unique_ptr<Store> store;
    std::set<std::uint64_t> forgotten;  // their files may still be there
    bool owes_rebuild = false;          // the store lacks what the files tell

    Store& open() {
        if (!store) {
            store = std::make_unique<Store>(home.history(), home.next_event());
            owes_rebuild |= store->is_new();
        }
        return *store;
    }

    /// A new store gets what the processes' files still tell.
    void rebuild() {
        Store& fresh = open();
        const auto known = home.known_processes();
        take_in({known.begin(), known.end()}, {});
        for (const auto process : known) {
            if (forgotten.contains(process)) continue;
            try {
                if (const auto launch = rundir::find_launch(home.launch(process)))
                    fresh.note_process(*launch);
            } catch (const wire::BadMessage&) {
                // the damage is told where the process is shown
            }
        }
        owes_rebuild = false;
    }

    /// Takes in what the processes' own files have beyond `last`.
    void take_in(const std::set<std::uint64_t>& processes, const Last& last) {
        std::vector<ShimEvent> found;
        for (const auto process : processes) {
            const auto known = last.contains(process) ? last.at(process) : 0;
            if (forgotten.contains(process) || !may_have_more(home, process, known)) continue;
            for (const auto& event : rundir::read_events(home.events(process), known + 1))
                found.push_back({process, event});
        }
        sort_by_time(found);
        if (!found.empty()) open().record({found.begin(), found.end()});
    }

    /// A hub was killed when a clear had removed the files of a process, and the store not heard of it yet.
    void forget_cleared(const std::set<std::uint64_t>& known, Store& told) const {
        const auto kept = home.known_processes();
        for (const auto& [process, number] : told.last_events()) {
            if (!known.contains(process) && std::find(kept.begin(), kept.end(), process) == kept.end())
                told.forget(process, wall_clock_ns());
        }
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
        outcome.newest = store->newest_number();
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

/// What shims told and is not committed is on disk in their files, un-acknowledged: the next hub gets it. What the hub
/// saw is written now, if it can be.
History::~History() {
    in_flight_ = false;
    flush();
}

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
    if (!outcome.done || !outcome.replaced.empty()) note_change_of_all();
    if (!outcome.replaced.empty()) {
        replaced_ = outcome.replaced;
        log_.say((outcome.problem.empty() ? "" : outcome.problem + "; ") + replaced_);
        note(HubEventKind::history_replaced, 0, replaced_);
    }
    if (!outcome.done) {
        if (outcome.problem != problem_) log_.say(outcome.problem);
        problem_ = outcome.problem;
        return;
    }
    if (outcome.newest > newest_) {
        newest_ = outcome.newest;
        tell_news();
    }
    if (!in_flight_ && waiting_.empty()) note_recovery();  // that it can be read says nothing of writing
}

void History::note_recovery() {
    retry_pause_ = kFirstPause;
    if (!std::exchange(problem_, {}).empty()) log_.say("history: works again");
}

void History::open(std::vector<rundir::ProcessNumber> processes, std::function<void(Opened)> then) {
    struct Looked {
        Opened opened;
        Last last;
    };
    const auto found = std::make_shared<Looked>();
    const std::set<std::uint64_t> unread{processes.begin(), processes.end()};
    const auto look = [found, shelf = shelf_, unread](Store& store) {
        shelf->take_in(unread, store.last_events());
        shelf->forget_cleared(unread, store);
        found->last = store.last_events();
        found->opened.highest_process = store.highest_process();
    };
    with_store(look, [this, found, unread, then = std::move(then)](const Outcome& outcome) {
        if (!outcome.done) {  // the files are read when the store can be had
            waiting_.unread.insert(unread.begin(), unread.end());
            retry_.set(retry_pause_);
        }
        note_last(found->last);
        then(found->opened);
    });
}

void History::note_last(const Last& last) {
    for (const auto& [process, number] : last) {
        if (!has_forgotten(process)) last_[process] = std::max(last_[process], number);
    }
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
    note_change(process);
    waiting_.events.emplace_back(ShimEvent{process, event});
    flush_soon();
    return true;
}

void History::note(HubEventKind kind, std::uint64_t process, std::string text) {
    note_change(process);
    waiting_.events.emplace_back(HubEvent{kind, process, wall_clock_ns(), std::move(text)});
    flush_soon();
}

/// All that this turn brings is one batch.
void History::flush_soon() {
    if (flush_due_ || in_flight_) return;
    flush_due_ = true;
    loop_.defer([this] { flush(); });
}

/// One batch at a time, so that a failed one is still before all that came later. All of it but the last step
/// may be done again without harm.
void History::flush() {
    flush_due_ = false;
    if (in_flight_ || waiting_.empty()) return;
    in_flight_ = true;
    const auto batch = std::make_shared<const Writes>(std::exchange(waiting_, {}));
    const auto read = std::make_shared<Last>();
    with_store(
        [batch, read, shelf = shelf_](Store& store) {
            for (const auto& [process, time_ns] : batch->forgotten) shelf->forgotten.insert(process);
            for (const auto& [process, launch] : batch->launches) store.note_process(launch);
            for (const auto process : batch->unread) (*read)[process] = store.last_event(process);
            shelf->take_in(batch->unread, *read);
            for (auto& [process, number] : *read) number = store.last_event(process);
            for (const auto& [process, time_ns] : batch->forgotten) store.forget(process, time_ns);
            store.record(batch->events);
        },
        [this, batch, read](const Outcome& outcome) { on_flushed(*batch, *read, outcome); });
}

void History::on_flushed(const Writes& batch, const Last& read, const Outcome& outcome) {
    in_flight_ = false;
    if (!outcome.done) {
        take_back(batch);
        retry_.set(retry_pause_);  // nobody tells when another has let go of it, or the disk has room
        retry_pause_ = std::min(retry_pause_ * 2, kLongestPause);
        return;
    }
    note_recovery();
    for (const auto& [process, number] : read) note_change(process);
    for (const auto& event : batch.events) note_change(process_of(event));  // what was told meanwhile may lack it
    note_last(read);
    Last committed;
    for (const auto& event : batch.events) {
        if (const auto* told = std::get_if<ShimEvent>(&event)) committed[told->process] = told->event.number;
    }
    for (const auto& [process, number] : committed) {
        if (!has_forgotten(process)) on_committed_(process, number);
    }
    flush();
}

/// Before what came meanwhile; what was forgotten meanwhile is not wanted.
void History::take_back(const Writes& batch) {
    Store::Events events = batch.events;
    std::erase_if(events, [this](const AnyEvent& event) { return has_forgotten(process_of(event)); });
    waiting_.events.insert(waiting_.events.begin(), events.begin(), events.end());
    for (const auto& [process, launch] : batch.launches) {
        if (!has_forgotten(process)) waiting_.launches.emplace(process, launch);
    }
    for (const auto process : batch.unread) {
        if (!has_forgotten(process)) waiting_.unread.insert(process);
    }
    waiting_.forgotten.insert(batch.forgotten.begin(), batch.forgotten.end());
}

void History::catch_up(std::uint64_t process) {
    if (has_forgotten(process)) return;
    note_change(process);
    waiting_.unread.insert(process);
    flush_soon();
}

void History::note_process(const rundir::Launch& launch) {
    rundir::Launch noted = launch;
    noted.environment.clear();
    waiting_.launches[launch.process] = std::move(noted);
    flush_soon();
}

void History::note_hub(std::uint64_t epoch, int pid, std::int64_t time_ns) {
    with_store([=](Store& store) { store.note_hub(epoch, pid, time_ns, PP_VERSION); }, {});
    note(HubEventKind::hub_started, 0, "pid " + std::to_string(pid) + ", pp " PP_VERSION);
}

void History::forget(std::uint64_t process) {
    forgotten_.insert(process);
    note_change(process);
    std::erase_if(waiting_.events, [&](const AnyEvent& event) { return process_of(event) == process; });
    waiting_.launches.erase(process);
    waiting_.unread.erase(process);
    waiting_.forgotten.emplace(process, wall_clock_ns());
    last_.erase(process);
    flush_soon();
}

void History::tell(std::uint64_t process, int max_runs, int max_events, std::function<void(Told)> then) {
    const auto kept = kept_.find(process);
    if (kept != kept_.end() && kept->second.max_runs == max_runs && kept->second.max_events == max_events)
        return then(kept->second.told);
    auto told = std::make_shared<Told>();
    if (problem_.empty()) flush();  // what has just happened is asked for as often as not
    with_store(
        [=](Store& store) {
            told->runs = store.runs(process, max_runs);
            told->events = store.events(process, max_events);
        },
        [=, this, asked_at = changes_, then = std::move(then)](const Outcome& outcome) {
            told->problem = outcome.problem;
            if (outcome.done && changes_ == asked_at) {
                if (kept_.size() >= kMostKept) kept_.clear();
                kept_[process] = {max_runs, max_events, *told};
            }
            then(std::move(*told));
        });
}

void History::note_change(std::uint64_t process) {
    ++changes_;
    kept_.erase(process);
}

void History::note_change_of_all() {
    ++changes_;
    kept_.clear();
}

void History::find_events(EventQuery query, std::function<void(Found)> then) {
    const auto found = std::make_shared<Found>();
    flush();
    with_store([found, query = std::move(query)](Store& store) { found->page = store.find_events(query); },
               [found, then = std::move(then)](const Outcome& outcome) {
                   if (!outcome.done) *found = {{}, outcome.problem};
                   then(std::move(*found));
               });
}

Subscription History::on_news(std::function<void()> callback) {
    const auto id = next_subscription_++;
    news_[id] = std::move(callback);
    return Subscription{[this, alive = std::weak_ptr<char>{alive_}, id] {
        if (!alive.expired()) news_.erase(id);
    }};
}

/// Whoever is told asks and subscribes again: a callback may take out others, and put in new ones.
void History::tell_news() {
    const auto told = news_;
    for (const auto& [id, callback] : told) {
        if (news_.contains(id)) callback();
    }
}

}  // namespace pp::hub
