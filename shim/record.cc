#include "shim/record.h"

#include <exception>

#include "protocol/rundir/process_files.h"
#include "shim/clock.h"

namespace pp::shim {

using rundir::EventKind;

Record::Record(const rundir::Home& home, std::uint64_t process, ring::Writer& writer, const ring::Lifecycle& before)
    : life{writer.has_made_page() ? before : ring::read_state(writer.page().fd()).lifecycle},
      home_{home},
      process_{process},
      writer_{writer},
      events_{home.events(process)} {
    auto& next = writer_.page()->next_event;
    if (next.load() <= 1) next.store(events_.next_number_on_disk());
    if (!writer.has_made_page() || life.run == 0) return;
    publish();
    // the machine went down under it: who is told of events is told of that too
    if (has_ended()) tell_exit();
}

rundir::Event Record::event(EventKind kind) const {
    rundir::Event event;
    event.kind = kind;
    event.time_ns = now_ns();
    event.run = life.run;
    event.pid = life.main_pid;
    event.start_time = kind == EventKind::started ? life.main_start_time : 0;
    event.cursor = writer_.tail();
    event.exit_kind = life.exit_kind;
    event.exit_value = life.exit_value;
    event.core_dumped = life.core_dumped;
    event.stop_requested = life.stop_requested;
    event.user_us = life.user_us;
    event.system_us = life.system_us;
    event.max_resident_kib = life.max_resident_kib;
    event.descendants = life.descendants;
    event.generation = life.generation;
    return event;
}

void Record::append(rundir::Event event) {
    publish();
    events_.append(writer_.page(), event);
    if (on_event_) on_event_(event);
}

void Record::append_once(EventKind kind) {
    if (already_told(kind)) return publish();
    append(kind);
}

void Record::tell_exit() {
    append_once(life.exit_kind == ring::ExitKind::not_started ? EventKind::start_failed : EventKind::exited);
}

/// The event is stored first: once the page says so, no successor is needed, who could tell what is missing.
void Record::tell_drained() {
    if (life.drained != 0) return;
    auto drained = event(EventKind::drained);
    const bool is_told = life.exit_kind == ring::ExitKind::not_started || already_told(EventKind::drained);
    if (!is_told) events_.append(writer_.page(), drained);
    life.drained = 1;
    publish();
    if (!is_told && on_event_) on_event_(drained);
}

void Record::save_exit() {
    try {
        rundir::write_final_record(home_, process_, life);
        exit_refused_ = false;
    } catch (const std::exception&) {
        exit_refused_ = true;  // the page has it until the machine goes down
    }
}

bool Record::save_owed() {
    if (exit_refused_ && has_ended()) save_exit();
    events_.store_refused();
    return !is_owed();
}

/// Looks back over all events of the run: its shim may have been killed any number of times since. A run that has filled the
/// file began long ago.
bool Record::already_told(EventKind kind) const {
    const auto next = writer_.page()->next_event.load();
    const auto oldest = next > rundir::kEventSlots ? next - rundir::kEventSlots : 1;
    for (auto number = next; number > oldest;) {
        const auto event = events_.find(--number);
        if (!event) continue;
        if (event->run < life.run) return false;
        if (event->kind == kind && event->run == life.run) return true;
    }
    return oldest > 1 && kind == EventKind::started;
}

}  // namespace pp::shim
