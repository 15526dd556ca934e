#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/ring/state_page.h"
#include "protocol/rundir/process_files.h"

namespace pp::rundir {

/// How a finished run ended, in one word (pure).
enum class Outcome { none, succeeded, failed, crashed, killed, stopped, unknown };
Outcome outcome_of(const ring::Lifecycle& lifecycle);
std::string outcome_name(Outcome outcome);
std::string state_name(ring::LifeState state);

/// "SIGTERM" for 15; "signal 99" for one without a name.
std::string signal_name(int signal);
/// 15 for "SIGTERM", "TERM" and "15"; nothing for any other text.
std::optional<int> find_signal(const std::string& name);

/// ISO 8601, UTC, milliseconds: 2026-01-31T23:59:59.123Z.
std::string iso_time(std::int64_t time_ns);

/// One sentence of why a process is (not) running, from what its files say: "exited with code 7 2 s after it was started",
/// "was ended by SIGTERM after pp was asked to stop it", "/x/y: No such file or directory".
std::string explanation(const ProcessFiles& files);

/// Empty, or what is wrong with any of its files, for a person.
std::string damage_of(const ProcessFiles& files);
/// Empty, or what keeps pp from looking after a process as it should, and what to do, for a person: it has no shim, its output
/// cannot be reached, its page has been removed. A damaged page is not told here.
std::string trouble(const ProcessFiles& files);
/// The explanation, and the trouble if there is any.
std::string why(const ProcessFiles& files);
/// "none", "unattended" (it lives without a shim) or "unreachable" (what it writes cannot be captured).
std::string attention_of(const ProcessFiles& files);

/// A state's name, or "damaged".
std::string state_of(const ProcessFiles& files);
/// Pid of a main that lives, or 0.
int live_pid(const ProcessFiles& files);

/// The process as agents and `--json` see it, from its files alone: {id, name, label, project, owner, command,
/// working_directory, mode, state, ready, attention, descendants, pid, run, started_at, ended_at, uptime_ms, outcome,
/// exit_code, signal, restarts, ports, cursor}; absent is null. `damage` is added where files are damaged, `trouble` where there
/// is any.
nlohmann::json process_json(const ProcessFiles& files, std::int64_t now_ns);
/// The same without `cursor` and `uptime_ms`, which change while nothing else does.
nlohmann::json settled_process_json(const ProcessFiles& files);
std::optional<std::int64_t> uptime_ms(const ProcessFiles& files, std::int64_t now_ns);

/// The project that a directory belongs to: its nearest ancestor (or itself) that holds pp.toml, .mcp-run or .git, else
/// the directory itself.
std::string project_of(const std::string& directory);

}  // namespace pp::rundir
