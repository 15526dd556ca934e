#include "hub/history/event_names.h"

#include <array>
#include <utility>

#include "protocol/os/error.h"

namespace pp::hub {
namespace {

using rundir::EventKind;

constexpr std::array<std::pair<EventKind, const char*>, 11> kNames{{
    {EventKind::started, "started"},
    {EventKind::start_failed, "start_failed"},
    {EventKind::stop_requested, "stop_requested"},
    {EventKind::exited, "exited"},
    {EventKind::tree_gone, "tree_gone"},
    {EventKind::drained, "drained"},
    {EventKind::taken_over, "taken_over"},
    {EventKind::capture_fault, "capture_fault"},
    {EventKind::input_closed, "input_closed"},
    {EventKind::resized, "resized"},
    {kMissingEvents, "missing"},
}};

constexpr std::array<std::pair<HubEventKind, const char*>, 6> kHubNames{{
    {HubEventKind::hub_started, "hub_started"},
    {HubEventKind::hub_stopped, "hub_stopped"},
    {HubEventKind::keeper_lost, "keeper_lost"},
    {HubEventKind::shim_given_up, "shim_given_up"},
    {HubEventKind::cleared, "cleared"},
    {HubEventKind::history_replaced, "history_replaced"},
}};

template <class Kind, std::size_t size>
std::string name_in(const std::array<std::pair<Kind, const char*>, size>& names, Kind kind) {
    for (const auto& [known, name] : names) {
        if (known == kind) return name;
    }
    return "unknown";
}

std::string error_in(const rundir::Event& event) {
    return event.exit_value == 0 ? "" : os::error_text(event.exit_value);
}

/// "exited with code 7 (failed)".
std::string exit_words(const rundir::Event& event) {
    const std::string outcome = " (" + rundir::outcome_name(outcome_of(event)) + ")";
    switch (event.exit_kind) {
        case ring::ExitKind::exited:
            return "exited with code " + std::to_string(event.exit_value) + outcome;
        case ring::ExitKind::signaled:
            return "was ended by " + rundir::signal_name(event.exit_value) +
                   (event.core_dumped != 0 ? ", core dumped" : "") + outcome;
        case ring::ExitKind::none:
        case ring::ExitKind::unknown:
        case ring::ExitKind::not_started:
            break;
    }
    return "has ended; how is not known";
}

std::string start_failure_words(const rundir::Event& event) {
    const std::string what = event.text;
    const std::string error = error_in(event);
    return "could not be started: " + what + (what.empty() || error.empty() ? "" : ": ") + error;
}

std::string words(const ShimEvent& told) {
    return event_words(told.event);
}

std::string words(const HubEvent& event) {
    const std::string text = event.text.empty() ? "" : ": " + event.text;
    switch (event.kind) {
        case HubEventKind::hub_started:
            return "started, " + event.text;
        case HubEventKind::hub_stopped:
            return "ends; processes live on" + text;
        case HubEventKind::keeper_lost:
            return "the keeper has died; a new one is started";
        case HubEventKind::shim_given_up:
            return "has nobody to look after it" + text;
        case HubEventKind::cleared:
            return "was cleared: its log and its history are gone";
        case HubEventKind::history_replaced:
            return event.text;
    }
    return "an event that this version does not know";
}

}  // namespace

std::string event_name(EventKind kind) {
    return name_in(kNames, kind);
}

std::string event_name(HubEventKind kind) {
    return name_in(kHubNames, kind);
}

std::string event_name(const AnyEvent& event) {
    if (const auto* told = std::get_if<ShimEvent>(&event)) return event_name(told->event.kind);
    return event_name(std::get<HubEvent>(event).kind);
}

std::vector<std::string> event_names() {
    std::vector<std::string> names;
    for (const auto& [kind, name] : kNames) names.emplace_back(name);
    for (const auto& [kind, name] : kHubNames) names.emplace_back(name);
    return names;
}

rundir::Outcome outcome_of(const rundir::Event& exited) {
    ring::Lifecycle life;
    life.exit_kind = exited.exit_kind;
    life.exit_value = exited.exit_value;
    life.stop_requested = exited.stop_requested;
    return rundir::outcome_of(life);
}

std::string event_words(const rundir::Event& event) {
    if (event.kind == kMissingEvents)
        return "events " + std::to_string(event.number) + " to " + std::to_string(event.cursor) +
               " are missing";
    switch (event.kind) {
        case EventKind::started:
            return "started, pid " + std::to_string(event.pid);
        case EventKind::start_failed:
            return start_failure_words(event);
        case EventKind::stop_requested:
            return "was asked to stop, with " + rundir::signal_name(event.signal);
        case EventKind::exited:
            return exit_words(event);
        case EventKind::tree_gone:
            return "has ended, with all that it started";
        case EventKind::drained:
            return "has its whole output in the log, up to cursor " + std::to_string(event.cursor);
        case EventKind::taken_over:
            return "went on with a new shim, generation " + std::to_string(event.generation);
        case EventKind::capture_fault:
            return event.exit_value == 0 ? "has its output kept again"
                                         : "loses output: the disk refuses it: " + error_in(event);
        case EventKind::input_closed:
            return "had its stdin closed";
        case EventKind::resized:
            return std::string{"has a terminal of "} + event.text + " now";
    }
    return "has an event that this version does not know";
}

std::string event_words(const AnyEvent& event) {
    return std::visit([](const auto& one) { return words(one); }, event);
}

}  // namespace pp::hub
