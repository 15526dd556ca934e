#pragma once

#include <string>
#include <vector>

#include "hub/history/numbered_event.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {

/// "exited", "hub_started", …: as tools, filters and JSON say it. One that this version does not know is
/// "unknown".
std::string event_name(rundir::EventKind kind);
std::string event_name(HubEventKind kind);
std::string event_name(const AnyEvent& event);

/// All that are known.
std::vector<std::string> event_names();

/// What happened, in words that go on from the name of the process or "hub": "exited with code 7 (failed)".
std::string event_words(const rundir::Event& event);
std::string event_words(const AnyEvent& event);

/// Of one that tells an exit.
rundir::Outcome outcome_of(const rundir::Event& exited);

}  // namespace pp::hub
