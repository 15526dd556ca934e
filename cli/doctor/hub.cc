#include "cli/doctor/hub.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "cli/doctor/programs.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/port_holder.h"
#include "protocol/os/unique_fd.h"

namespace pp::cli::doctor {
namespace {

using nlohmann::json;

constexpr const char* kOtherPort =
    "set PP_PORT, or port below [hub] in config.toml, then: pp hub restart; agents that use the bridge or "
    "mcp.sock are not concerned";

std::string text_in(const json& status, const char* key) {
    const auto found = status.is_object() ? status.find(key) : status.end();
    return status.is_object() && found != status.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<const RunningProgram*> all_of(const Survey& survey, const std::string& name) {
    std::vector<const RunningProgram*> found;
    for (const auto& program : survey.programs) {
        if (program.name == name) found.push_back(&program);
    }
    return found;
}

std::string pids(const std::vector<const RunningProgram*>& programs) {
    std::string text;
    for (const auto* program : programs) text += (text.empty() ? "" : ", ") + std::to_string(program->pid);
    return text;
}

bool is_free(int port) {
    const os::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const int one = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(socket.get(), 1) == 0;
}

void judge_history(const json& status, Findings& findings) {
    const auto problem_text = text_in(status, "history_problem");
    if (problem_text.empty()) return;
    const bool is_past = problem_text.find("moved to") != std::string::npos;
    findings.push_back(
        is_past ? note("history", problem_text, "that file may be removed when nobody wants to look at it")
                : problem("history", problem_text,
                          "what happens is kept by the shims meanwhile, and the hub tries again by itself; "
                          "see its log in state/log/hub.log"));
}

}  // namespace

SettingsFacts settings_in(const std::string& text) {
    SettingsFacts facts;
    std::istringstream lines{text};
    std::string line;
    while (std::getline(lines, line)) {
        if (line.starts_with("port ")) facts.port = std::atoi(line.c_str() + 5);
        if (line.starts_with("problem ")) facts.problems.push_back(line.substr(8));
    }
    return facts;
}

Findings judge(const PortFacts& facts) {
    const std::string port = std::to_string(facts.port);
    if (facts.hub_answers && facts.hub_port != 0)
        return {fine("port", "the hub listens on 127.0.0.1:" + std::to_string(facts.hub_port))};
    if (facts.hub_answers)
        return {problem("port", "the hub has no TCP port: " + facts.hub_problem, kOtherPort)};
    if (facts.port == 0) return {fine("port", "any free one")};
    if (facts.is_free) return {fine("port", port + " is free")};
    return {
        problem("port", port + " is taken by " + facts.holder + ", and would not be the hub's", kOtherPort)};
}

Findings judge_hub(const Survey& survey) {
    Findings findings;
    const auto hubs = all_of(survey, "pp-hub");
    if (hubs.size() > 1)
        findings.push_back(problem(
            "hub", "there are several hubs of this home: pids " + pids(hubs),
            "the run directory was removed under the older ones: end them with kill; processes live on"));
    switch (survey.hub) {
        case Survey::Hub::none:
            if (hubs.empty())
                findings.push_back(fine("hub", "none runs; the next command that needs one starts it"));
            break;
        case Survey::Hub::silent: {
            const std::string pid = hubs.empty() ? "" : " (pid " + std::to_string(hubs.front()->pid) + ")";
            const bool is_stopped = !hubs.empty() && hubs.front()->state == 'T';
            findings.push_back(problem(
                "hub", "the hub" + pid + (is_stopped ? " is stopped" : " lives, and does not answer"),
                is_stopped
                    ? "kill -CONT " + std::to_string(hubs.front()->pid)
                    : "if it stays so: kill -KILL it; nothing is lost, and the next command starts another"));
            break;
        }
        case Survey::Hub::answers:
            findings.push_back(fine("hub", "pid " + survey.hub_status.value("pid", json{}).dump() + ", " +
                                               survey.hub_status.value("processes", json{}).dump() +
                                               " processes, " +
                                               survey.hub_status.value("shims", json{}).dump() + " shims"));
            judge_history(survey.hub_status, findings);
    }
    return findings;
}

Findings judge_keeper(const Survey& survey) {
    const auto keepers = all_of(survey, "pp-keeper");
    const bool any_shim = survey.find("pp-shim") != nullptr;
    if (keepers.size() > 1)
        return {problem(
            "keeper", "there are several keepers of this home: pids " + pids(keepers),
            "the run directory was removed under the older ones; restart their processes when it suits you")};
    if (keepers.empty() && any_shim)
        return {problem("keeper", "shims live without a keeper: nobody would succeed one that dies",
                        "pp hub restart starts one")};
    if (keepers.empty() || !survey.keeper_lock_held) return {};  // one without files is told of with run/
    const std::string pid = std::to_string(keepers.front()->pid);
    if (keepers.front()->state == 'T')
        return {problem(
            "keeper",
            "the keeper (pid " + pid + ") is stopped: nothing can be started, nor a dead shim succeeded",
            "kill -CONT " + pid)};
    if (!survey.keeper_listens)
        return {problem(
            "keeper", "the keeper (pid " + pid + ") lives, and cannot be connected to",
            "if it stays so: kill -KILL " + pid + "; the shims start another, and programs do not notice")};
    return {fine("keeper", "pid " + pid)};
}

Findings check_hub(const Survey& survey) {
    auto findings = judge_hub(survey);
    const auto keeper = judge_keeper(survey);
    findings.insert(findings.end(), keeper.begin(), keeper.end());
    return findings;
}

Findings check_port(const Survey& survey) {
    const auto settings = settings_in(output_of({os::sibling_program("pp-hub"), "--check"}));
    Findings findings;
    for (const auto& wrong : settings.problems)
        findings.push_back(
            problem("settings", wrong, "it is passed over until it is mended; then: pp hub restart"));
    PortFacts facts;
    facts.port = settings.port;
    facts.hub_answers = survey.hub == Survey::Hub::answers;
    if (facts.hub_answers) {
        const auto& port = survey.hub_status.value("port", json{});
        facts.hub_port = port.is_number_integer() ? port.get<int>() : 0;
        facts.hub_problem = text_in(survey.hub_status, "port_problem");
    } else if (survey.hub == Survey::Hub::silent) {
        findings.push_back(note("port", "? (the hub does not answer)"));
        return findings;
    } else if (facts.port != 0) {
        facts.is_free = is_free(facts.port);
        if (!facts.is_free) facts.holder = os::port_holder(facts.port);
    }
    const auto of_port = judge(facts);
    findings.insert(findings.end(), of_port.begin(), of_port.end());
    return findings;
}

}  // namespace pp::cli::doctor
