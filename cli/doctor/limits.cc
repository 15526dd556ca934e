#include "cli/doctor/limits.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "cli/target.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/os/read_file.h"

namespace pp::cli::doctor {
namespace {

constexpr std::uint64_t kFewDescriptors = 1024;
constexpr std::uint64_t kDescriptorsPerProcess =
    8;  // that the keeper holds, of a process with all there can be
constexpr std::uint64_t kSparePids = 50;
constexpr std::uint64_t kLogBytes = 17u << 20;      // a log of default size
constexpr std::uint64_t kPagesPerProcess = 2 * 16;  // two pipes of 64 KiB

std::string of(const LimitFacts& facts, const std::string& what, std::uint64_t limit) {
    return facts.whose + " may have " + std::to_string(limit) + " " + what;
}

/// Of the two words behind the name of a limit, the soft and the hard one.
std::uint64_t value_in(const std::string& text, const std::string& name, int word) {
    const auto at = text.find(name);
    if (at == std::string::npos) return kUnlimited;
    std::istringstream rest{text.substr(at + name.size(), 80)};
    std::string value;
    for (int i = 0; i <= word; ++i) rest >> value;
    std::uint64_t number = kUnlimited;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
}

std::uint64_t threads_of_uid() {
    std::uint64_t threads = 0;
    for (const pid_t pid : os::all_pids()) {
        const auto status = os::find_file_content("/proc/" + std::to_string(pid) + "/status").value_or("");
        const auto uid = "\nUid:\t" + std::to_string(::getuid()) + "\t";
        if (status.find(uid) == std::string::npos) continue;
        const auto at = status.find("\nThreads:\t");
        if (at != std::string::npos) threads += std::strtoull(status.c_str() + at + 10, nullptr, 10);
    }
    return threads;
}

/// As a shim does with its state page.
int try_mlock() {
    constexpr std::size_t kPage = 4096;
    void* const page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno;
    const int error = ::mlock(page, kPage) == 0 ? 0 : errno;
    ::munmap(page, kPage);
    return error;
}

void judge_one(const LimitFacts& facts, const SharedLimitFacts& shared, Findings& findings) {
    if (facts.descriptors_hard < kFewDescriptors)
        findings.push_back(
            problem("limits", of(facts, "descriptors", facts.descriptors_hard),
                    "about " + std::to_string(facts.descriptors_hard / kDescriptorsPerProcess) +
                        " processes at a time fit in; raise the hard limit (ulimit -Hn 65536, or "
                        "/etc/security/limits.conf), then: pp hub restart"));
    if (!shared.is_privileged && facts.processes_soft != kUnlimited &&
        shared.threads_of_uid + kSparePids > facts.processes_soft)
        findings.push_back(problem("limits",
                                   of(facts, "processes and threads", facts.processes_soft) +
                                       ", and you have " + std::to_string(shared.threads_of_uid),
                                   "starts will fail soon; raise the limit (ulimit -u), or end something"));
    if (facts.file_size_soft < kLogBytes)
        findings.push_back(problem(
            "limits",
            facts.whose + " may write files of " + std::to_string(facts.file_size_soft) + " bytes at most",
            "logs lose what lies beyond; raise the limit (ulimit -f unlimited), then: pp hub "
            "restart"));
}

}  // namespace

LimitFacts limits_in(const std::string& whose, const std::string& text) {
    return {whose, value_in(text, "Max open files", 1), value_in(text, "Max processes", 0),
            value_in(text, "Max file size", 0)};
}

Findings judge(const std::vector<LimitFacts>& limits, const SharedLimitFacts& shared) {
    Findings findings;
    for (const auto& facts : limits) judge_one(facts, shared, findings);
    if (shared.mlock_error != 0)
        findings.push_back(
            note("limits", "a page cannot be locked in memory (" + os::error_text(shared.mlock_error) + ")",
                 "a shim that is killed while memory is short may then lose or double some output; "
                 "raise the limit (ulimit -l 8192), then: pp hub restart"));
    const auto wanted = shared.live_processes * kPagesPerProcess;
    if (!shared.is_privileged && shared.pipe_pages_soft != 0 && wanted > shared.pipe_pages_soft)
        findings.push_back(note("limits",
                                std::to_string(shared.live_processes) +
                                    " processes have more pipes than "
                                    "fs.pipe-user-pages-soft (" +
                                    std::to_string(shared.pipe_pages_soft) + " pages) allows at full size",
                                "output of new ones is slower; as root: sysctl fs.pipe-user-pages-soft=" +
                                    std::to_string(wanted * 2)));
    if (findings.empty()) {
        std::uint64_t least = kUnlimited;
        for (const auto& facts : limits) least = std::min(least, facts.descriptors_hard);
        findings.push_back(
            fine("limits", (least == kUnlimited ? std::string{"unlimited"} : std::to_string(least)) +
                               " descriptors, pages can be locked in memory, processes and pipes "
                               "are enough"));
    }
    return findings;
}

Findings check_limits(const Survey& survey) {
    std::vector<LimitFacts> limits{
        limits_in("this shell", os::find_file_content("/proc/self/limits").value_or(""))};
    for (const char* name : {"pp-hub", "pp-keeper"}) {
        const auto* program = survey.find(name);
        if (program == nullptr) continue;
        const auto pid = std::to_string(program->pid);
        limits.push_back(limits_in(program->name + " (pid " + pid + ")",
                                   os::find_file_content("/proc/" + pid + "/limits").value_or("")));
    }
    SharedLimitFacts shared;
    shared.threads_of_uid = threads_of_uid();
    shared.live_processes = static_cast<std::uint64_t>(std::count_if(
        survey.processes.begin(), survey.processes.end(), [](const auto& one) { return is_live(one); }));
    const auto pages = os::find_file_content("/proc/sys/fs/pipe-user-pages-soft").value_or("0");
    shared.pipe_pages_soft = std::strtoull(pages.c_str(), nullptr, 10);
    shared.is_privileged = ::geteuid() == 0;
    shared.mlock_error = try_mlock();
    return judge(limits, shared);
}

}  // namespace pp::cli::doctor
