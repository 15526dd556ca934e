#include "cli/doctor/processes.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>

#include "cli/target.h"
#include "protocol/os/error.h"
#include "protocol/os/proc.h"
#include "protocol/ring/reader.h"
#include "protocol/rundir/event_log.h"

namespace pp::cli::doctor {
namespace {

constexpr std::size_t kChunksLookedAt = 256;

std::string id_of(const ProcessFacts& facts) {
    return rundir::process_id(facts.number);
}

std::string subject(const ProcessFacts& facts) {
    return facts.name.empty() ? id_of(facts) : facts.name + " (" + id_of(facts) + ")";
}

void judge_damage(const ProcessFacts& facts, Findings& findings) {
    const auto id = id_of(facts);
    if (facts.is_page_damaged || (!facts.damage.empty() && facts.has_shim))
        findings.push_back(problem("files", subject(facts) + ": " + facts.damage,
                                   "pp logs " + id + " shows what can be read; then pp stop " + id +
                                       ", pp clear " + id + ", and start it anew"));
    else if (!facts.damage.empty())
        findings.push_back(problem("files", subject(facts) + ": " + facts.damage,
                                   "it does not run; pp clear " + id + " takes it away"));
    if (!facts.ring_damage.empty())
        findings.push_back(problem(
            "files", subject(facts) + ": " + facts.ring_damage,
            facts.is_live ? "its log is lost; pp stop " + id + ", pp clear " + id + ", and start it anew"
                          : "its log is lost; pp clear " + id + " takes it away"));
    if (!facts.events_damage.empty())
        findings.push_back(note("files", subject(facts) + ": " + facts.events_damage,
                                "its history has gaps; it runs as before"));
}

void judge_shim(const ProcessFacts& facts, Findings& findings) {
    const auto id = id_of(facts);
    const std::string pid = std::to_string(facts.main_pid);
    if (facts.is_shim_stopped)
        findings.push_back(problem("shims",
                                   "the shim of " + subject(facts) + " (pid " +
                                       std::to_string(facts.shim_pid) +
                                       ") is stopped: its output waits, and it cannot be commanded",
                                   "kill -CONT " + std::to_string(facts.shim_pid)));
    if (!facts.is_live || facts.has_shim || facts.is_page_damaged) return;
    if (facts.main_pid == 0) {
        findings.push_back(problem("shims", subject(facts) + " has ended, and nobody has recorded how",
                                   "pp hub restart has it looked at"));
        return;
    }
    if (!facts.is_readable)
        findings.push_back(problem(
            "shims",
            subject(facts) + ", pid " + pid +
                ", cannot be reached: it has no shim, and may not "
                "be looked into (setuid, or not dumpable)",
            "its output goes nowhere; end it with kill " + pid + " when it suits you, then start it anew"));
    else
        findings.push_back(problem("shims",
                                   subject(facts) + ", pid " + pid +
                                       ", runs without a shim: its output waits, and it "
                                       "cannot be commanded",
                                   "mend what " + facts.shim_log + " says of " + id +
                                       ", then pp hub restart: it gets another; no process ends by that"));
}

void judge_capture(const ProcessFacts& facts, Findings& findings) {
    const auto id = id_of(facts);
    if (facts.is_live && facts.capture_error != 0)
        findings.push_back(problem("capture",
                                   "the disk refuses the output of " + subject(facts) + " (" +
                                       os::error_text(facts.capture_error) + "), " +
                                       std::to_string(facts.dropped_bytes) + " bytes are lost",
                                   "make room; then it is kept again by itself"));
    if (facts.is_live && facts.is_captured_by_read)
        findings.push_back(note(
            "capture", subject(facts) + " is captured by read: the file system of its log refuses splice",
            "some output is lost when its shim is killed; PP_HOME may name a directory elsewhere"));
    if (facts.survivors > 0)
        findings.push_back(
            problem("capture",
                    subject(facts) + " was stopped, and " + std::to_string(facts.survivors) +
                        " of what it started could not be killed",
                    "pp status " + id + " shows them; a program in state D waits for the kernel"));
    if (facts.clock_went_back)
        findings.push_back(note("clock", "the wall clock went back while " + subject(facts) + " wrote",
                                "times in its log stand still for as long; order and cursors are right"));
}

/// The main that is meant, and not another of the same number.
pid_t live_main(const ring::Lifecycle& life) {
    if (life.exit_kind != ring::ExitKind::none || life.main_pid <= 0) return 0;
    const auto stat = os::find_proc_stat(life.main_pid);
    const bool is_it = stat && stat->state != 'Z' && stat->start_time == life.main_start_time;
    return is_it ? life.main_pid : 0;
}

bool can_look_into(pid_t pid) {
    DIR* const dir = ::opendir(("/proc/" + std::to_string(pid) + "/fd").c_str());
    if (dir == nullptr) return false;
    ::closedir(dir);
    return true;
}

void look_at_ring(const rundir::Home& home, ProcessFacts& facts) {
    try {
        auto reader = ring::Reader::find(rundir::ring_paths(home, facts.number));
        if (!reader) return;
        const auto bounds = reader->bounds();
        const auto chunks = reader->last_chunks(bounds.begin, bounds.end, kChunksLookedAt);
        facts.clock_went_back = std::any_of(chunks.begin(), chunks.end(), [](const ring::Chunk& chunk) {
            return (chunk.flags & ring::kClockStep) != 0;
        });
    } catch (const std::exception& damage) {
        facts.ring_damage = damage.what();
    }
}

/// Numbers that the page says were given, and that no whole slot holds.
std::string events_damage(const rundir::Home& home, const rundir::ProcessFiles& files) {
    if (!files.state || files.state->next_event <= 1) return {};
    const auto last = files.state->next_event - 1;
    const auto first = last >= rundir::kEventSlots ? last - rundir::kEventSlots + 1 : 1;
    const auto found = rundir::read_events(home.events(files.number), first);
    // one may be about to be written, or was refused by a full disk and told all the same
    const auto missing = (last - first + 1) - std::min<std::uint64_t>(found.size(), last - first + 1);
    if (missing == 0) return {};
    return std::to_string(missing) + " of its events cannot be read in " + home.events(files.number);
}

ProcessFacts facts_of(const Context& context, const Survey& survey, const rundir::ProcessFiles& files) {
    const auto life = files.lifecycle();
    ProcessFacts facts;
    facts.number = files.number;
    facts.name = files.launch ? files.launch->name : "";
    facts.is_live = is_live(files);
    facts.has_shim = files.held;
    facts.main_pid = live_main(life);
    facts.is_readable = facts.main_pid == 0 || can_look_into(facts.main_pid);
    facts.damage = files.damage;
    facts.is_page_damaged = !files.page_damage.empty();
    facts.is_captured_by_read = life.read_fallback != 0;
    facts.capture_error = static_cast<int>(life.capture_error);
    facts.dropped_bytes = life.dropped_bytes;
    facts.survivors = life.survivors;
    facts.shim_log = context.home.log("shim");
    for (const auto& program : survey.programs) {
        if (program.name != "pp-shim" || program.process != files.number) continue;
        facts.shim_pid = program.pid;
        facts.is_shim_stopped = program.state == 'T';
    }
    if (!facts.is_page_damaged) look_at_ring(context.home, facts);
    facts.events_damage = events_damage(context.home, files);
    return facts;
}

}  // namespace

Findings judge(const ProcessFacts& facts) {
    Findings findings;
    judge_damage(facts, findings);
    judge_shim(facts, findings);
    judge_capture(facts, findings);
    return findings;
}

Findings check_processes(const Context& context, const Survey& survey) {
    Findings findings;
    for (const auto& files : survey.processes) {
        const auto part = judge(facts_of(context, survey, files));
        findings.insert(findings.end(), part.begin(), part.end());
    }
    if (findings.empty())
        findings.push_back(fine(
            "processes", survey.processes.empty()
                             ? "none"
                             : std::to_string(survey.processes.size()) + " known, their files are whole"));
    return findings;
}

}  // namespace pp::cli::doctor
