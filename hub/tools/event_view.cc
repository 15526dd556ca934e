#include "hub/tools/event_view.h"

#include <nlohmann/json.hpp>
#include <string>

#include "hub/history/event_names.h"
#include "protocol/os/error.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

using nlohmann::json;

json time_or_null(std::int64_t time_ns) {
    return time_ns == 0 ? json{} : json(rundir::iso_time(time_ns));
}

json body(const ShimEvent& told) {
    json view = event_view(told.event);
    view["process_number"] = view["number"];
    return view;
}

json body(const HubEvent& event) {
    return {{"time", time_or_null(event.time_ns)}, {"kind", event_name(event.kind)}, {"run", nullptr}};
}

std::string name_of(const NumberedEvent& event, const rundir::ProcessFiles* process) {
    const auto* seen = std::get_if<HubEvent>(&event.event);
    if (seen != nullptr && seen->kind == HubEventKind::cleared) return seen->text;
    return process != nullptr && process->launch ? process->launch->name : "";
}

}  // namespace

json event_view(const rundir::Event& event) {
    json view{{"number", event.number},
              {"time", time_or_null(event.time_ns)},
              {"kind", event_name(event.kind)},
              {"run", event.run},
              {"cursor", event.cursor}};
    if (event.kind == rundir::EventKind::started) view["pid"] = event.pid;
    if (event.kind == rundir::EventKind::stop_requested) view["signal"] = rundir::signal_name(event.signal);
    if (event.kind == rundir::EventKind::exited && event.exit_kind == ring::ExitKind::exited)
        view["exit_code"] = event.exit_value;
    if (event.kind == rundir::EventKind::exited && event.exit_kind == ring::ExitKind::signaled)
        view["signal"] = rundir::signal_name(event.exit_value);
    if (event.kind == rundir::EventKind::exited) view["outcome"] = rundir::outcome_name(outcome_of(event));
    if (event.kind == rundir::EventKind::start_failed || event.kind == rundir::EventKind::capture_fault)
        view["error"] = event.exit_value == 0 ? json{} : json(os::error_text(event.exit_value));
    if (event.text[0] != '\0') view["text"] = event.text;
    return view;
}

json event_view(const NumberedEvent& event, const rundir::ProcessFiles* process) {
    json view = std::visit([](const auto& one) { return body(one); }, event.event);
    const auto number = process_of(event.event);
    const auto name = name_of(event, process);
    view["number"] = event.number;
    view["process"] = number == 0 ? json{} : json(rundir::process_id(number));
    view["name"] = name.empty() ? json{} : json(name);
    view["what"] = event_words(event.event);
    return view;
}

}  // namespace pp::hub
