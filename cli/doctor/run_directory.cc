#include "cli/doctor/run_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>

#include "cli/doctor/file_system.h"
#include "protocol/os/read_file.h"

namespace pp::cli::doctor {
namespace {

namespace fs = std::filesystem;

std::string octal(unsigned mode) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode & 07777);
    return text.data();
}

std::string listed(const std::vector<RunDirectoryFacts::Shim>& shims) {
    std::string text;
    for (const auto& shim : shims)
        text += (text.empty() ? "" : ", ") + rundir::process_id(shim.process) +
                (shim.pid > 0 ? " (shim " + std::to_string(shim.pid) + ")" : "");
    return text;
}

void judge_wiped(const RunDirectoryFacts& facts, Findings& findings) {
    if (facts.hub_without_files > 0)
        findings.push_back(problem("run",
                                   "a hub (pid " + std::to_string(facts.hub_without_files) +
                                       ") lives whose files in " + facts.path + " are gone: nobody finds it",
                                   "pp hub start: another takes its place; should this one stay, kill " +
                                       std::to_string(facts.hub_without_files) + " (processes live on)"));
    if (facts.keeper_without_files > 0)
        findings.push_back(
            problem("run",
                    "a keeper (pid " + std::to_string(facts.keeper_without_files) +
                        ") lives whose files in " + facts.path + " are gone",
                    "pp hub start: it puts them back, or goes on with what it has and ends with the last of "
                    "its processes"));
    if (!facts.pages_gone.empty())
        findings.push_back(problem(
            "run",
            "processes run whose state pages in " + facts.path + " are gone: " + listed(facts.pages_gone),
            "pp hub start: they are put back; those of which it is told even then are ended by "
            "pp stop, then pp clear, and started anew"));
    if (!facts.sockets_gone.empty())
        findings.push_back(problem(
            "run", "shims live whose sockets in " + facts.path + " are gone: " + listed(facts.sockets_gone),
            "pp hub restart; should that not help, kill -KILL these shims: a successor makes "
            "the socket anew, and the program does not notice"));
}

std::vector<std::string> tmpfiles_configurations(const std::string& base) {
    std::map<std::string, std::string> by_name;
    for (const char* place :
         {"/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d"}) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator{base + place, ignored}) {
            if (entry.path().extension() == ".conf")
                by_name.try_emplace(entry.path().filename(), entry.path());
        }
    }
    std::vector<std::string> files;
    for (const auto& [name, path] : by_name) files.push_back(path);
    return files;
}

bool lies_in(const std::string& path, const std::string& directory) {
    return path == directory || path.starts_with(directory == "/" ? "/" : directory + "/");
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

bool has_flock(const std::string& locks, std::uint64_t inode) {
    const std::string wanted = ":" + std::to_string(inode);
    std::istringstream lines{locks};
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words{line};
        std::string word;
        bool is_flock = false;
        bool is_of_file = false;
        while (words >> word) {
            is_flock |= word == "FLOCK";
            is_of_file |= word.ends_with(wanted);
        }
        if (is_flock && is_of_file) return true;
    }
    return false;
}

std::string ageing_of(const std::string& root, const std::string& directory) {
    std::string longest;
    std::string found;
    for (const auto& file : tmpfiles_configurations(root == "/" ? "" : root)) {
        std::istringstream lines{os::find_file_content(file, 1u << 20).value_or("")};
        std::string line;
        while (std::getline(lines, line)) {
            std::istringstream fields{line};
            std::string type, path, mode, user, group, age;
            fields >> type >> path >> mode >> user >> group >> age;
            const bool cleans =
                !type.empty() && std::string_view{"dDevqQC"}.find(type[0]) != std::string_view::npos;
            if (!cleans || path.empty() || !lies_in(directory, path) || path.size() < longest.size())
                continue;
            longest = path;
            found = age.empty() || age == "-" ? "" : path + " of " + age + " (" + file + ")";
        }
    }
    return found;
}

Findings judge(const RunDirectoryFacts& facts) {
    Findings findings;
    if (facts.kind == RunDirectoryFacts::Kind::missing && !facts.any_program)
        return {fine("run", facts.path + " is not there yet; the first command makes it")};
    if (facts.kind == RunDirectoryFacts::Kind::other)
        return {problem("run", facts.path + " is not a directory (a symlink is not followed)",
                        "remove it, or set PP_HOME to a directory of your own")};
    judge_wiped(facts, findings);
    if (facts.kind == RunDirectoryFacts::Kind::missing) {
        findings.insert(findings.begin(),
                        problem("run", facts.path + " was removed while pp runs",
                                "pp hub start makes it again, and what lives puts its files back"));
        return findings;
    }
    if (facts.owner != facts.us)
        findings.push_back(problem("run",
                                   facts.path + " belongs to uid " + std::to_string(facts.owner) +
                                       ", not to you (" + std::to_string(facts.us) + ")",
                                   "set PP_HOME to a directory of your own"));
    else if ((facts.mode & 077) != 0)
        findings.push_back(problem("run", facts.path + " is open to others (mode " + octal(facts.mode) + ")",
                                   "chmod 700 " + facts.path));
    if (!facts.ageing.empty() && facts.any_program && !facts.is_held)
        findings.push_back(problem("run",
                                   "nobody holds the lock on " + facts.path +
                                       ", and systemd-tmpfiles takes away what is old in " + facts.ageing,
                                   "pp hub restart"));
    if (findings.empty())
        findings.push_back(fine("run", facts.path + ", mode " + octal(facts.mode) + ", on " +
                                           facts.file_system +
                                           (facts.is_held ? ", held against ageing" : "")));
    return findings;
}

Findings check_run_directory(const Context& context, const Survey& survey) {
    const auto& home = context.home;
    RunDirectoryFacts facts;
    facts.path = home.run();
    facts.us = ::geteuid();
    facts.any_program = survey.any_program();
    if (const auto* hub = survey.find("pp-hub"); hub != nullptr && !survey.hub_lock_held)
        facts.hub_without_files = hub->pid;
    if (const auto* keeper = survey.find("pp-keeper"); keeper != nullptr && !survey.keeper_lock_held)
        facts.keeper_without_files = keeper->pid;
    for (const auto& process : survey.processes) {
        if (!process.held) continue;
        const RunDirectoryFacts::Shim shim{process.number, survey.shim_of(process.number)};
        if (!exists(home.state_page(process.number)))
            facts.pages_gone.push_back(shim);
        else if (!exists(home.shim_socket(process.number)))
            facts.sockets_gone.push_back(shim);
    }
    struct stat status {};
    if (::lstat(facts.path.c_str(), &status) != 0) return judge(facts);
    facts.kind =
        S_ISDIR(status.st_mode) ? RunDirectoryFacts::Kind::directory : RunDirectoryFacts::Kind::other;
    facts.owner = status.st_uid;
    facts.mode = status.st_mode;
    facts.file_system = file_system_name(facts.path);
    facts.ageing = ageing_of("/", facts.path);
    facts.is_held = has_flock(os::find_file_content("/proc/locks").value_or(""), status.st_ino);
    return judge(facts);
}

}  // namespace pp::cli::doctor
