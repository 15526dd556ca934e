#include "cli/doctor/sandbox.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "protocol/os/read_file.h"

namespace pp::cli::doctor {
namespace {

int value_in(const std::string& status, const std::string& key) {
    const auto at = status.find("\n" + key + ":\t");
    return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + key.size() + 3);
}

/// Filters, where the kernel counts them (5.9).
int seccomp_in(const std::string& status) {
    const int filters = value_in(status, "Seccomp_filters");
    return filters > 0 ? filters : value_in(status, "Seccomp");
}

std::string status_of(const std::string& process) {
    return os::find_file_content("/proc/" + process + "/status").value_or("");
}

/// /proc/self names us by the pid that whoever mounted /proc sees.
bool is_foreign_proc() {
    std::array<char, 32> target{};
    const ssize_t size = ::readlink("/proc/self", target.data(), target.size() - 1);
    return size <= 0 || std::atoi(target.data()) != ::getpid();
}

}  // namespace

std::string confinement(const std::string& status, const std::string& of_first) {
    std::string text;
    if (seccomp_in(status) > seccomp_in(of_first)) text = "a seccomp filter";
    if (value_in(status, "NoNewPrivs") > value_in(of_first, "NoNewPrivs"))
        text += (text.empty() ? "" : ", ") + std::string{"no_new_privs"};
    return text;
}

Findings judge(const SandboxFacts& facts) {
    Findings findings;
    if (facts.is_foreign_proc)
        findings.push_back(problem("sandbox", "/proc shows another pid namespace than the one that this pp runs in",
                                   "mount /proc anew in there, or run pp outside: pids cannot be trusted so"));
    if (facts.is_unseen_keeper)
        findings.push_back(problem("sandbox", "the keeper lives in another pid namespace",
                                   "use pp where it was started, or give this one a home of its own: PP_HOME"));
    if (!facts.hubs.empty())
        findings.push_back(problem("sandbox",
                                   "pp was started from inside a sandbox (" + facts.hubs + "), and so is all that it starts",
                                   "outside of the sandbox: pp shutdown --stop, then pp hub start"));
    else if (!facts.ours.empty())
        findings.push_back(note("sandbox", "this shell is confined (" + facts.ours + ")",
                                "a pp that is started from here is, too; pp hub start from outside is not"));
    if (!findings.empty()) return findings;
    if (facts.any_program && !facts.hub_answers)
        return {note("sandbox", "? (only a hub that answers tells whether pp was started from inside of one)")};
    return {fine("sandbox", "none")};
}

Findings check_sandbox(const Survey& survey) {
    SandboxFacts facts;
    facts.ours = confinement(status_of("self"), status_of("1"));
    facts.hub_answers = survey.hub == Survey::Hub::answers;
    facts.any_program = survey.any_program();
    if (facts.hub_answers && survey.hub_status["sandbox"].is_string())
        facts.hubs = survey.hub_status["sandbox"].get<std::string>();
    facts.is_foreign_proc = is_foreign_proc();
    facts.is_unseen_keeper = survey.keeper_listens && survey.keeper_pid == 0;
    return judge(facts);
}

}  // namespace pp::cli::doctor
