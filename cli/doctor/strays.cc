#include "cli/doctor/strays.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string_view>

#include "protocol/os/ofd_lock.h"
#include "protocol/os/unique_fd.h"

namespace pp::cli::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSqlite{"SQLite format 3\0", 16};
constexpr std::size_t kNamed = 3;

std::string listed(const std::vector<std::string>& paths) {
    std::string text;
    for (std::size_t i = 0; i < paths.size() && i < kNamed; ++i) text += (i == 0 ? "" : ", ") + paths[i];
    if (paths.size() > kNamed) text += " and " + std::to_string(paths.size() - kNamed) + " more";
    return text;
}

void look_at_run(const rundir::Home& home, StrayFacts& facts) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{home.run(), ignored}) {
        const auto process = rundir::find_process_number(entry.path().stem().string());
        if (process && !fs::exists(home.process(*process), ignored)) facts.of_nobody.push_back(entry.path());
    }
}

void look_at_processes(const rundir::Home& home, StrayFacts& facts) {
    std::error_code ignored;
    for (const auto process : home.known_processes()) {
        const bool was_written =
            fs::exists(home.launch(process), ignored) || fs::exists(home.ring(process), ignored);
        if (!was_written && !os::OfdLock::is_held(home.process_lock(process)))
            facts.unfinished.push_back(home.process(process));
    }
}

void look_at_history(const rundir::Home& home, StrayFacts& facts) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{home.state(), ignored}) {
        const std::string path = entry.path();
        if (path.starts_with(home.history() + ".damaged-") && !path.ends_with("-wal") &&
            !path.ends_with("-shm"))
            facts.put_aside.push_back(path);
    }
    const os::UniqueFd file{::open(home.history().c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, kSqlite.size()> begin{};
    const ssize_t got = file ? ::read(file.get(), begin.data(), begin.size()) : 0;
    facts.is_history_foreign =
        got > 0 && std::string_view{begin.data(), static_cast<std::size_t>(got)} != kSqlite;
}

}  // namespace

Findings judge(const StrayFacts& facts) {
    Findings findings;
    if (facts.is_history_foreign)
        findings.push_back(
            problem("history", facts.history + " is damaged: it does not begin as an SQLite file does",
                    "pp hub restart moves it aside, and begins it anew from the processes' own files"));
    if (!facts.put_aside.empty())
        findings.push_back(note("history", "an earlier one was damaged, and kept: " + listed(facts.put_aside),
                                "remove it when nobody wants to look at it"));
    if (!facts.of_nobody.empty())
        findings.push_back(
            note("files", "of processes that do not exist: " + listed(facts.of_nobody),
                 facts.hub_runs ? "pp hub restart takes them away" : "the next hub takes them away"));
    if (!facts.unfinished.empty())
        findings.push_back(
            note("files", "of processes that never ran: " + listed(facts.unfinished),
                 facts.hub_runs ? "pp hub restart takes them away" : "the next hub takes them away"));
    return findings;
}

Findings check_strays(const Context& context, bool hub_runs) {
    StrayFacts facts;
    facts.history = context.home.history();
    facts.hub_runs = hub_runs;
    look_at_run(context.home, facts);
    look_at_processes(context.home, facts);
    look_at_history(context.home, facts);
    return judge(facts);
}

}  // namespace pp::cli::doctor
