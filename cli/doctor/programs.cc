#include "cli/doctor/programs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>

#include "protocol/os/c_strings.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/unique_fd.h"

namespace pp::cli::doctor {
namespace {

Installed look_at(const std::string& name) {
    Installed program{name, os::sibling_program(name), {}, {}};
    try {
        const auto said = output_of({program.path, "--version"});
        program.version = said.substr(0, said.find('\n'));
    } catch (const std::exception& error) {
        program.error = error.what();
    }
    return program;
}

std::string described(const RunningProgram& program) {
    const std::string pid = " (pid " + std::to_string(program.pid) + ")";
    if (program.name == "pp-hub") return "the hub" + pid;
    if (program.name == "pp-keeper") return "the keeper" + pid;
    return "the shim of " + rundir::process_id(program.process) + pid;
}

/// All shims are one line: there may be a thousand.
struct Outdated {
    bool hub = false;
    bool keeper = false;
    std::size_t shims = 0;
    std::string example;
};

std::string listed(const Outdated& outdated) {
    std::string text = outdated.hub ? "the hub" : "";
    if (outdated.keeper) text += (text.empty() ? "" : ", ") + std::string{"the keeper"};
    if (outdated.shims > 0)
        text += (text.empty() ? "" : ", ") + std::to_string(outdated.shims) +
                (outdated.shims == 1 ? " shim" : " shims");
    return text;
}

void judge_running(const std::vector<RunningProgram>& running, Findings& findings) {
    Outdated outdated;
    for (const auto& program : running) {
        if (program.build == RunningProgram::Build::same) continue;
        outdated.hub |= program.name == "pp-hub";
        outdated.keeper |= program.name == "pp-keeper";
        if (program.name == "pp-shim") ++outdated.shims;
        outdated.example =
            described(program) + " executes " + program.path +
            (program.build == RunningProgram::Build::replaced ? ", which was replaced or removed since" : "");
    }
    if (outdated.example.empty()) return;
    const bool only_hub = !outdated.keeper && outdated.shims == 0;
    findings.push_back(
        note("programs",
             "other builds than the ones beside this pp run: " + listed(outdated) + "; " + outdated.example,
             only_hub ? "pp hub restart (processes live on)" : "pp hub upgrade (processes live on)"));
}

}  // namespace

std::string output_of(const std::vector<std::string>& argv) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) os::throw_errno("pipe");
    const os::UniqueFd read_end{ends[0]};
    os::UniqueFd write_end{ends[1]};
    const os::CStrings arguments{argv};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, argv.front().c_str(), &actions, nullptr, arguments.get(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) os::throw_error(error, "execute", argv.front());
    write_end.reset();
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got; (got = ::read(read_end.get(), buffer.data(), buffer.size())) != 0;) {
        if (got < 0 && errno != EINTR) break;
        if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::waitpid(pid, nullptr, 0);
    return text;
}

Findings judge(const std::string& own_version, const std::vector<Installed>& installed,
               const std::vector<RunningProgram>& running, const std::string& hub_version) {
    Findings findings;
    for (const auto& program : installed) {
        if (!program.error.empty())
            findings.push_back(
                problem("programs", program.name + " cannot be executed: " + program.error,
                        "install the four programs together: they find each other in one directory"));
        else if (program.version != program.name + " " + own_version)
            findings.push_back(problem(
                "programs", program.path + " is '" + program.version + "', and this is pp " + own_version,
                "install the four programs of one version together"));
    }
    if (!hub_version.empty() && hub_version != own_version)
        findings.push_back(problem("programs",
                                   "the hub is pp " + hub_version + ", and this is pp " + own_version,
                                   "pp hub restart (processes live on)"));
    judge_running(running, findings);
    if (findings.empty())
        findings.push_back(fine("programs", "pp " + own_version + "; what runs is of the same build"));
    return findings;
}

Findings check_programs(const Survey& survey) {
    const std::string hub_version =
        survey.hub == Survey::Hub::answers ? survey.hub_status.value("version", "") : "";
    return judge(PP_VERSION, {look_at("pp-hub"), look_at("pp-keeper"), look_at("pp-shim")}, survey.programs,
                 hub_version);
}

}  // namespace pp::cli::doctor
