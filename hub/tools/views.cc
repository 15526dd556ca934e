#include "hub/tools/views.h"

#include <nlohmann/json.hpp>

#include "hub/tools/event_view.h"
#include "hub/wall_clock.h"
#include "protocol/os/error.h"
#include "protocol/rundir/process_view.h"

namespace pp::hub {
namespace {

using nlohmann::json;

json text_or_null(const std::string& text) {
    return text.empty() ? json{} : json(text);
}
json time_or_null(std::int64_t time_ns) {
    return time_ns == 0 ? json{} : json(rundir::iso_time(time_ns));
}

json run_view(const RunRecord& run) {
    ring::Lifecycle life;
    life.exit_kind = run.exit_kind;
    life.exit_value = run.exit_value;
    life.stop_requested = run.stop_requested ? 1 : 0;
    const auto outcome = rundir::outcome_of(life);
    const bool is_timed = run.started_at_ns > 0 && run.ended_at_ns >= run.started_at_ns;
    json view{{"run", run.run},
              {"pid", run.pid > 0 ? json(run.pid) : json{}},
              {"started_at", time_or_null(run.started_at_ns)},
              {"ended_at", time_or_null(run.ended_at_ns)},
              {"duration_ms", is_timed ? json((run.ended_at_ns - run.started_at_ns) / 1'000'000) : json{}},
              {"outcome", outcome == rundir::Outcome::none ? json{} : json(rundir::outcome_name(outcome))},
              {"exit_code", run.exit_kind == ring::ExitKind::exited ? json(run.exit_value) : json{}},
              {"signal", run.exit_kind == ring::ExitKind::signaled ? json(rundir::signal_name(run.exit_value))
                                                                   : json{}},
              {"core_dumped", run.core_dumped},
              {"user_ms", run.user_us / 1000},
              {"system_ms", run.system_us / 1000},
              {"max_memory_kib", run.max_resident_kib}};
    if (run.begin_cursor) view["begin_cursor"] = *run.begin_cursor;
    if (run.end_cursor) view["end_cursor"] = *run.end_cursor;
    return view;
}

json log_view(const LogStatus& log) {
    json view{{"begin", log.begin},
              {"end", log.end},
              {"capacity", log.capacity},
              {"dropped_bytes", log.dropped_bytes},
              {"capture_error", log.capture_error == 0 ? json{} : json(os::error_text(log.capture_error))},
              {"read_fallback", log.read_fallback},
              {"unverified", log.unverified}};
    if (!log.damage.empty()) view["damage"] = log.damage;
    return view;
}

}  // namespace

void add_sandbox(json& structured, std::string& text, const std::string& ways) {
    structured["sandbox"] = text_or_null(ways);
    if (!ways.empty()) text += "Note: what pp starts runs in a sandbox: " + ways + "\n";
}

json process_view(const rundir::ProcessFiles& files) {
    return rundir::process_json(files, wall_clock_ns());
}

json hub_view(const HubStatus& status) {
    return {{"pid", status.pid},
            {"version", status.version},
            {"started_at", rundir::iso_time(status.started_at_ns)},
            {"mcp_url", text_or_null(status.mcp_url)},
            {"mcp_socket", text_or_null(status.mcp_socket)},
            {"home", status.home},
            {"processes", status.processes},
            {"shims", status.shims},
            {"keeper_pid", status.keeper_pid == 0 ? json{} : json(status.keeper_pid)},
            {"outdated_shims", status.outdated_shims},
            {"keeper_outdated", status.is_keeper_outdated},
            {"port", status.port == 0 ? json{} : json(status.port)},
            {"port_problem", text_or_null(status.port_problem)},
            {"history_problem", text_or_null(status.history_problem)},
            {"sandbox", text_or_null(status.sandbox)},
            {"settings_problems", status.settings_problems}};
}

json status_view(const StatusResult& status) {
    const rundir::Launch launch = status.process.launch.value_or(rundir::Launch{});
    json runs = json::array();
    for (const auto& run : status.runs) runs.push_back(run_view(run));
    json tree = json::array();
    std::uint64_t cpu_ms = 0;
    std::uint64_t memory_kib = 0;
    for (const auto& member : status.tree) {
        cpu_ms += member.cpu_ms;
        memory_kib += member.memory_kib;
        tree.push_back({{"pid", member.pid},
                        {"parent", member.parent},
                        {"state", member.state},
                        {"command", member.command},
                        {"cpu_ms", member.cpu_ms},
                        {"memory_kib", member.memory_kib}});
    }
    json events = json::array();
    for (const auto& event : status.events) events.push_back(event_view(event));
    return {{"process", process_view(status.process)},
            {"why", status.why},
            {"argv", launch.argv.empty() ? json{} : json(launch.argv)},
            {"environment_source", text_or_null(launch.environment_source)},
            {"streams", launch.streams},
            {"stdin", launch.stdin_mode},
            {"runs", runs},
            {"tree", tree},
            {"cpu_ms", cpu_ms},
            {"memory_kib", memory_kib},
            {"log", log_view(status.log)},
            {"events", events},
            {"ports", json::array()}};
}

std::string quoted_output(const std::string& output) {
    if (output.empty()) return "(no output)\n";
    return "--- output begins ---\n" + output + (output.back() == '\n' ? "" : "\n") + "--- output ends ---\n";
}

std::string status_text(const StatusResult& status) {
    std::string text = process_line(status.process) + "\n" + "It " + status.why + ".\n";
    for (const auto& member : status.tree)
        text += "  pid " + std::to_string(member.pid) + " (of " + std::to_string(member.parent) + ") " +
                member.state + " " + std::to_string(member.memory_kib) + " KiB " + member.command + "\n";
    text += "log: cursors " + std::to_string(status.log.begin) + " to " + std::to_string(status.log.end) +
            " of " + std::to_string(status.log.capacity) + " bytes kept";
    if (status.log.dropped_bytes > 0)
        text += ", " + std::to_string(status.log.dropped_bytes) + " refused by the disk";
    if (status.log.capture_error != 0) text += ", the last of it with: " + os::error_text(status.log.capture_error);
    if (!status.log.damage.empty()) text += ", damaged: " + status.log.damage;
    text += "\nruns: " + std::to_string(status.runs.size()) + " known";
    for (std::size_t i = 0; i < status.runs.size() && i < 5; ++i) {
        const auto view = run_view(status.runs[i]);
        text += "\n  #" + std::to_string(status.runs[i].run) + " " +
                (view["outcome"].is_null() ? "has not ended" : view["outcome"].get<std::string>());
        if (!view["exit_code"].is_null()) text += " (code " + view["exit_code"].dump() + ")";
        if (!view["signal"].is_null()) text += " (" + view["signal"].get<std::string>() + ")";
    }
    return text + "\n";
}

std::string outdated_text(const HubStatus& status) {
    if (status.outdated_shims == 0 && !status.is_keeper_outdated) return "";
    std::string who = status.outdated_shims > 0 ? std::to_string(status.outdated_shims) + " shims" : "";
    if (status.is_keeper_outdated) who += who.empty() ? "the keeper" : " and the keeper";
    return "of another build: " + who + "; 'pp hub upgrade' hands over to this one, and no process notices";
}

std::string hub_text(const HubStatus& status) {
    std::string text = "pp-hub " + status.version + ", pid " + std::to_string(status.pid) + ", " +
                       std::to_string(status.processes) + " processes, " + std::to_string(status.shims) +
                       " shims";
    text += status.mcp_url.empty() ? "\nno TCP port: " + status.port_problem : "\nMCP at " + status.mcp_url;
    if (!status.mcp_socket.empty()) text += "\nand on " + status.mcp_socket;
    if (const auto outdated = outdated_text(status); !outdated.empty()) text += "\n" + outdated;
    if (!status.history_problem.empty()) text += "\nhistory: " + status.history_problem;
    for (const auto& problem : status.settings_problems) text += "\nconfiguration: " + problem;
    if (!status.sandbox.empty()) text += "\nsandbox: " + status.sandbox;
    return text + "\n";
}

}  // namespace pp::hub
