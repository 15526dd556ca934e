#include "cli/output/process_text.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/output/print.h"
#include "cli/time_input.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// Null, and what is not there, is "".
std::string field(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end() || found->is_null()) return "";
    return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

std::string or_dash(std::string text) {
    return text.empty() ? "-" : text;
}

std::string age(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return "";
    return duration_text(std::chrono::milliseconds{found->get<std::int64_t>()});
}

bool finished(const json& process) {
    return field(process, "state") == "finished";
}

Colour colour_of(const json& process) {
    const auto state = field(process, "state");
    const auto outcome = field(process, "outcome");
    if (state == "damaged" || outcome == "failed" || outcome == "crashed") return Colour::red;
    const auto attention = field(process, "attention");
    if (!attention.empty() && attention != "none") return Colour::yellow;
    if (state == "running") return Colour::green;
    if (state != "finished") return Colour::yellow;
    return outcome == "killed" || outcome == "unknown" ? Colour::yellow : Colour::dim;
}

/// Of a finished one: what it started and left behind.
std::string living_on(const json& process) {
    const auto count = process.is_object() ? process.value("descendants", 0u) : 0u;
    if (count == 0) return "";
    return ", " + std::to_string(count) + (count == 1 ? " lives on" : " live on");
}

/// What `ls` shows under STATE: of a finished one, how it ended; of one that wants a look, why.
std::string state_word(const json& process) {
    const auto outcome = field(process, "outcome");
    const auto attention = field(process, "attention");
    if (finished(process) && !outcome.empty()) return outcome + living_on(process);
    return attention.empty() || attention == "none" ? field(process, "state") : attention;
}

std::string exit_word(const json& process) {
    const auto exit_code = field(process, "exit_code");
    return exit_code.empty() ? field(process, "signal") : exit_code;
}

/// What `ls` shows under COMMAND. Of a damaged one the damage, and what is left to be seen is told by the others.
std::string command_word(const json& process) {
    const auto damage = field(process, "damage");
    if (damage.empty()) return field(process, "command");
    return (field(process, "state") == "damaged" ? "" : "damaged: ") + damage;
}

class Lines {
  public:
    void add(const std::string& key, const std::string& value) {
        if (value.empty()) return;
        std::string line = key;
        line.append(key.size() < 12 ? 12 - key.size() : 1, ' ');
        text_ += line + value + "\n";
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

std::string memory(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return "";
    return std::to_string(found->get<std::int64_t>() / 1024) + " MiB";
}

std::string runs_text(const json& runs) {
    std::string text;
    for (const auto& run : runs) {
        const auto exit_word_of_run = exit_word(run);
        text += "  #" + field(run, "run") + "  " + or_dash(field(run, "started_at")) + "  " +
                or_dash(age(run, "duration_ms")) + "  " + or_dash(field(run, "outcome")) +
                (exit_word_of_run.empty() ? "" : " (" + exit_word_of_run + ")") + "\n";
    }
    return text;
}

std::string tree_text(const json& tree) {
    std::string text;
    for (const auto& one : tree)
        text += "  " + field(one, "pid") + "  parent " + field(one, "parent") + "  " + field(one, "state") +
                "  " + or_dash(memory(one, "memory_kib")) + "  " + field(one, "command") + "\n";
    return text;
}

std::string events_text(const json& events) {
    constexpr std::size_t kShown = 10;
    std::string text;
    for (std::size_t i = events.size() > kShown ? events.size() - kShown : 0; i < events.size(); ++i)
        text += "  " + field(events[i], "time") + "  " + field(events[i], "kind") + "  run " +
                field(events[i], "run") + "\n";
    return text;
}

std::string log_text(const json& log, bool is_finished) {
    if (!log.is_object()) return "";
    std::string text = "cursor " + field(log, "begin") + " to " + field(log, "end") + " of " +
                       field(log, "capacity") + " bytes";
    const auto dropped = field(log, "dropped_bytes");
    const auto error = field(log, "capture_error");
    if (!dropped.empty() && dropped != "0") text += "; " + dropped + " refused by the disk";
    if (!error.empty()) text += (is_finished ? ", to the end: " : ", which refuses still: ") + error;
    if (field(log, "read_fallback") == "true") text += "; captured by read";
    if (field(log, "unverified") == "true") text += "; unverified since a reboot";
    return text;
}

std::string section(const json& status, const char* key, const std::string& title,
                    std::string (*text)(const json&)) {
    const auto found = status.find(key);
    if (found == status.end() || !found->is_array() || found->empty()) return "";
    return title + "\n" + text(*found);
}

}  // namespace

std::string end_text(const json& process) {
    if (!field(process, "exit_code").empty()) return "exited with code " + field(process, "exit_code");
    if (!field(process, "signal").empty()) return "was ended by " + field(process, "signal");
    const auto outcome = field(process, "outcome");
    if (outcome == "failed") return "could not be started";
    return outcome == "unknown" ? "how it ended is not known" : "";
}

void say_sandbox(const json& started) {
    const auto ways = field(started, "sandbox");
    if (!ways.empty()) say("what pp starts runs in a sandbox: " + ways);
}

std::string process_line(const json& process) {
    const auto id = field(process, "id");
    const auto name = field(process, "name").empty() ? id : field(process, "name") + " (" + id + ")";
    const auto damage = field(process, "damage");
    if (field(process, "state") == "damaged") return name + " is damaged: " + damage;
    const auto note = damage.empty() ? "" : "; damaged: " + damage;
    if (finished(process))
        return name + " has finished: " + or_dash(end_text(process)) + living_on(process) + note;
    const auto pid = field(process, "pid");
    return name + " is " + field(process, "state") + (pid.empty() ? "" : ", pid " + pid) + ", run " +
           field(process, "run") + note;
}

Table process_table(const json& processes) {
    Table table{{"ID", "NAME", "STATE", "PID", "RUN", "UPTIME", "EXIT", "COMMAND"}};
    for (const auto& process : processes) {
        table.add({{field(process, "id")},
                   {or_dash(field(process, "name"))},
                   {state_word(process), colour_of(process)},
                   {or_dash(field(process, "pid"))},
                   {or_dash(field(process, "run"))},
                   {or_dash(age(process, "uptime_ms"))},
                   {or_dash(exit_word(process))},
                   {or_dash(command_word(process)), field(process, "damage").empty() ? Colour::none : Colour::red}});
    }
    return table;
}

std::string status_text(const json& status) {
    const auto& process = status.at("process");
    Lines lines;
    lines.add("process", process_line(process));
    lines.add("why", field(status, "why"));
    lines.add("label", field(process, "label"));
    lines.add("command", field(process, "command"));
    lines.add("directory", field(process, "working_directory"));
    lines.add("project", field(process, "project"));
    lines.add("started", field(process, "started_at"));
    lines.add("ended", field(process, "ended_at"));
    lines.add(finished(process) ? "duration" : "uptime", age(process, "uptime_ms"));
    lines.add("ready", field(process, "ready") == "unknown" ? "?" : field(process, "ready"));
    lines.add("restarts", field(process, "restarts"));
    lines.add("descendants", field(process, "descendants"));
    lines.add("environment", field(status, "environment_source"));
    lines.add("streams", field(status, "streams"));
    lines.add("stdin", field(status, "stdin"));
    lines.add("cpu", age(status, "cpu_ms"));
    lines.add("memory", memory(status, "memory_kib"));
    lines.add("log", status.contains("log") ? log_text(status["log"], finished(process)) : "");
    lines.add("damage", field(process, "damage"));
    lines.add("attention", field(process, "attention") == "none" ? "" : field(process, "attention"));
    return lines.take() + section(status, "runs", "runs", runs_text) +
           section(status, "tree", "tree", tree_text) + section(status, "events", "events", events_text);
}

std::string hub_text(const json& status) {
    static constexpr std::array<std::pair<const char*, const char*>, 11> kLines{
        {{"pid", "hub"},
         {"version", "version"},
         {"started_at", "started"},
         {"mcp_url", "mcp"},
         {"mcp_socket", "socket"},
         {"home", "home"},
         {"processes", "processes"},
         {"shims", "shims"},
         {"keeper_pid", "keeper"},
         {"port_problem", "port"},
         {"history_problem", "history"}}};
    Lines lines;
    for (const auto& [key, title] : kLines) lines.add(title, field(status, key));
    lines.add("sandbox", field(status, "sandbox"));
    for (const auto& problem : status.value("settings_problems", json::array()))
        lines.add("problem", printable(problem.get<std::string>()));
    const auto shims = field(status, "outdated_shims");
    const bool has_old_shims = !shims.empty() && shims != "0";
    const bool has_old_keeper = field(status, "keeper_outdated") == "true";
    if (has_old_shims || has_old_keeper)
        lines.add("outdated", (has_old_shims ? shims + " shims" : "") + (has_old_shims && has_old_keeper ? ", " : "") +
                                  (has_old_keeper ? "the keeper" : "") + ": pp hub upgrade");
    return lines.take();
}

}  // namespace pp::cli
