#include "cli/doctor/login.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <sstream>

#include "cli/doctor/cgroup.h"
#include "protocol/os/read_file.h"

namespace pp::cli::doctor {
namespace {

namespace fs = std::filesystem;

// the first that has the file counts; of drop-ins with one name too
constexpr std::array kPlaces{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"};

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t\r");
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool is_yes(const std::string& value) {
    return value == "yes" || value == "true" || value == "1" || value == "on" || value == "y" || value == "t";
}

void read_settings(LoginFacts& facts, const std::string& path) {
    std::istringstream lines{os::find_file_content(path, 1u << 20).value_or("")};
    std::string line;
    std::string section;
    while (std::getline(lines, line)) {
        line = trimmed(line);
        if (line.empty() || line[0] == '#' || line[0] == ';') continue;
        if (line[0] == '[') section = line;
        const auto equals = line.find('=');
        if (section != "[Login]" || equals == std::string::npos) continue;
        const auto key = trimmed(line.substr(0, equals));
        const auto value = trimmed(line.substr(equals + 1));
        if (key == "KillUserProcesses") facts.kills_user_processes = is_yes(value);
        if (key == "KillOnlyUsers") facts.kill_only_users = value;
        if (key == "KillExcludeUsers") facts.kill_exclude_users = value;
    }
}

/// logind.conf, and then its drop-ins in the order of their names.
std::vector<std::string> files_in_force(const std::string& root) {
    std::vector<std::string> files;
    std::map<std::string, std::string> drop_ins;
    for (const char* place : kPlaces) {
        const std::string main = root + place + "/logind.conf";
        std::error_code ignored;
        if (files.empty() && fs::exists(main, ignored)) files.push_back(main);
        for (const auto& entry : fs::directory_iterator{main + ".d", ignored}) {
            if (entry.path().extension() == ".conf")
                drop_ins.try_emplace(entry.path().filename(), entry.path());
        }
    }
    for (const auto& [name, path] : drop_ins) files.push_back(path);
    return files;
}

bool names(const std::string& list, const std::string& user) {
    std::istringstream words{list};
    std::string word;
    while (words >> word) {
        if (word == user) return true;
    }
    return false;
}

/// In a scope that ends with a login: user.slice/user-1000.slice/session-3.scope.
bool is_of_session(const std::string& group) {
    const auto at = group.find("/session-");
    return at != std::string::npos && group.find(".scope", at) != std::string::npos;
}

/// Below the user's own manager, which ends with the last login unless the user lingers.
bool is_of_user_manager(const std::string& group) {
    return group.find("/user@") != std::string::npos;
}

std::string user_name() {
    const passwd* const entry = ::getpwuid(::geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

}  // namespace

LoginFacts login_facts(const std::string& root, const std::string& user, const std::string& group) {
    const std::string base = root == "/" ? "" : root;
    std::error_code ignored;
    LoginFacts facts;
    facts.user = user;
    facts.group = group;
    facts.has_manager = fs::exists(base + "/run/systemd/system", ignored);
    facts.lingers = fs::exists(base + "/var/lib/systemd/linger/" + user, ignored);
    for (const auto& file : files_in_force(base)) read_settings(facts, file);
    return facts;
}

Findings judge(const LoginFacts& facts) {
    if (!facts.has_manager) return {fine("logout", "no login manager that would end processes")};
    const bool is_meant = (facts.kill_only_users.empty() || names(facts.kill_only_users, facts.user)) &&
                          !names(facts.kill_exclude_users, facts.user);
    if (facts.kills_user_processes && is_meant && is_of_session(facts.group))
        return {problem(
            "logout", "logind has KillUserProcesses=yes: when you log out, pp and all that it runs is killed",
            "pp shutdown --stop; loginctl enable-linger; systemd-run --user --scope pp hub start; or set "
            "KillUserProcesses=no in /etc/systemd/logind.conf")};
    if (is_of_user_manager(facts.group) && !facts.lingers)
        return {problem("logout",
                        "pp runs below your user manager, which ends with your last login, and all in it",
                        "loginctl enable-linger")};
    if (facts.kills_user_processes && is_meant)
        return {note("logout", "logind has KillUserProcesses=yes; this pp is in no session",
                     "a pp that is started from a login ends with it: pp doctor there tells")};
    return {fine("logout", std::string{"what pp runs outlives it"} + (facts.lingers ? " (you linger)" : ""))};
}

Findings check_login(const Survey& survey) {
    const auto* keeper = survey.find("pp-keeper");
    const auto group = cgroup_facts("/", keeper == nullptr ? "self" : std::to_string(keeper->pid)).path;
    return judge(login_facts("/", user_name(), group));
}

}  // namespace pp::cli::doctor
