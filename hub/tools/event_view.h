#pragma once

#include <nlohmann/json_fwd.hpp>

#include "hub/history/numbered_event.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

/// An event of one process, numbered by its shim.
nlohmann::json event_view(const rundir::Event& event);

/// One of all events, with the hub's number. `process`: the files of the process it is of; null: of none, or
/// it is not known any more.
nlohmann::json event_view(const NumberedEvent& event, const rundir::ProcessFiles* process);

}  // namespace pp::hub
