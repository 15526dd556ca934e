#pragma once

#include <cstdint>
#include <functional>

#include "protocol/ring/writer.h"
#include "protocol/rundir/event_log.h"
#include "protocol/rundir/home.h"

namespace pp::shim {

/// What is known of the newest run, and how others come to know it: the state page first, for whoever looks, then the
/// event, for whoever is told. A shim killed in between leaves the page ahead of the events: its successor tells what is
/// missing, once.
class Record {
  public:
    /// `before`: the newest run as it was known before the writer made its page, if it made one.
    Record(const rundir::Home& home, std::uint64_t process, ring::Writer& writer, const ring::Lifecycle& before);

    /// Called with each event that was stored.
    void on_event(std::function<void(const rundir::Event&)> callback) { on_event_ = std::move(callback); }

    ring::Lifecycle life;

    void publish() { writer_.page().publish(life); }
    /// Of the newest run, with what is known of it.
    [[nodiscard]] rundir::Event event(rundir::EventKind kind) const;
    /// Publishes, stores, tells.
    void append(rundir::Event event);
    void append(rundir::EventKind kind) { append(event(kind)); }
    /// Unless it has been told of this run. Publishes in any case.
    void append_once(rundir::EventKind kind);

    /// Main has exited, or could not be started.
    void tell_exit();
    /// The log of the run is complete. After its exit: a main that ends closes its pipes a moment before it can be waited
    /// for.
    void tell_drained();

    /// The exit record, for when the page has gone. Where the disk refuses it, it is owed.
    void save_exit();
    /// Tries again to store what the disk has refused: events, the exit record. True if it has taken all.
    bool save_owed();
    [[nodiscard]] bool is_owed() const { return (exit_refused_ && has_ended()) || events_.has_refused(); }

    [[nodiscard]] bool has_ended() const { return life.exit_kind != ring::ExitKind::none; }
    [[nodiscard]] const rundir::EventLog& events() const { return events_; }
    /// True if whoever comes later finds all events in the file.
    bool all_stored() { return events_.store_refused(); }

  private:
    [[nodiscard]] bool already_told(rundir::EventKind kind) const;

    const rundir::Home& home_;
    std::uint64_t process_;
    ring::Writer& writer_;
    rundir::EventLog events_;
    bool exit_refused_ = false;
    std::function<void(const rundir::Event&)> on_event_;
};

}  // namespace pp::shim
