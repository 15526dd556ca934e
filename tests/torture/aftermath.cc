#include "tests/torture/aftermath.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "protocol/os/pid_fd.h"
#include "protocol/os/proc.h"
#include "protocol/rundir/event_log.h"
#include "tests/torture/watched_page.h"

namespace pp::torture {
namespace {

using nlohmann::json;
using rundir::Event;
using rundir::EventKind;

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSettledWithin{60};
constexpr std::chrono::milliseconds kLookAgainAfter{20};
constexpr int kAll = 1'000'000;  // events of one process

std::string text_of(const Event& event) {
    return "event " + std::to_string(event.number) + " (kind " + std::to_string(static_cast<int>(event.kind)) + ", run " +
           std::to_string(event.run) + ", exit " + std::to_string(static_cast<int>(event.exit_kind)) + " " +
           std::to_string(event.exit_value) + ")";
}

std::uint64_t number_of(const json& row) { return rundir::find_process_number(row.at("id").get<std::string>()).value(); }

/// "p12#3", or empty.
std::string mark_of(pid_t pid) { return os::find_environment_value(pid, "PP_PROCESS").value_or(""); }

/// Without what differs from one descriptor of a kind to the next.
std::string kind_of(const std::string& link) {
    const auto colon = link.find(":[");
    if (link.starts_with("socket:") || link.starts_with("pipe:")) return link.substr(0, colon);
    return link;
}

std::string text_of(const std::map<std::string, int>& counts) {
    std::string text;
    for (const auto& [kind, count] : counts) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    return text;
}

bool has_killed(pid_t pid) {
    const auto process = os::PidFd::find(pid);
    if (!process || !process->send_signal(SIGKILL)) return false;
    process->wait_for_end();
    return true;
}

}  // namespace

Aftermath::Aftermath(Watchdog& dog, const test::Installation& installation, std::string truth_path, const KillLog& kills)
    : dog_{dog},
      installation_{installation},
      truth_path_{std::move(truth_path)},
      kills_{kills},
      client_{dog, installation} {}

void Aftermath::look() {
    eventually("table and processes", [this] { return table_problems(); });
    eventually("zombies", [this] { return zombies(); });
    check_descriptors();
    shut_down();
    check_history();
    clear_all();
}

/// What is in /proc tells nobody that it has changed.
void Aftermath::eventually(const std::string& what, const std::function<Problems()>& problems) {
    const auto end = std::chrono::steady_clock::now() + kSettledWithin;
    auto found = problems();
    while (!found.empty() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(kLookAgainAfter);
        found = problems();
    }
    for (const auto& problem : found) violate(what + ": " + problem);
}

// While all runs -------------------------------------------------------------------------------------------------------

std::map<std::string, std::vector<pid_t>> Aftermath::living_by_program() const {
    std::map<std::string, std::vector<pid_t>> found;
    for (const pid_t pid : installation_.living()) {
        if (const auto stat = os::find_proc_stat(pid); stat && stat->state != 'Z') found[stat->comm].push_back(pid);
    }
    return found;
}

Aftermath::Problems Aftermath::table_problems() {
    Problems problems;
    const auto list = client_.insist("list", {{"project", "all"}});
    auto living = living_by_program();
    std::map<std::uint64_t, json> rows;
    std::set<pid_t> mains;
    std::size_t with_shim = 0;
    for (const auto& row : list.at("processes")) {
        rows[number_of(row)] = row;
        const auto id = row.at("id").get<std::string>();
        const bool runs = row.at("state") == "running";
        const bool has_ended = row.at("state") == "finished" && !row.at("outcome").is_null();
        if (!runs && !has_ended) problems.push_back(id + " is " + row.at("state").dump());
        if (runs || row.at("descendants") > 0) ++with_shim;
        if (!runs) continue;
        const pid_t pid = row.at("pid");
        mains.insert(pid);
        if (mark_of(pid) != id + "#" + std::to_string(row.at("run").get<int>())) problems.push_back("no process is " + row.dump());
    }
    for (const pid_t pid : living["torture_actor"]) {
        const auto mark = mark_of(pid);
        const auto stat = os::find_proc_stat(pid);
        if (!stat || mains.contains(pid)) continue;
        const auto row = rows.find(rundir::find_process_number(mark.substr(0, mark.find('#'))).value_or(0));
        const bool was_main = stat->session == pid;
        const bool has_live_tree =
            row != rows.end() && (row->second.at("state") == "running" || row->second.at("descendants") > 0);
        if (was_main || !has_live_tree)
            problems.push_back("pid " + std::to_string(pid) + " (" + mark + ") runs, and the table does not say so");
    }
    for (const auto& [program, count] : {std::pair<std::string, std::size_t>{"pp-hub", 1}, {"pp-keeper", 1}, {"pp-shim", with_shim}}) {
        if (living[program].size() != count)
            problems.push_back(std::to_string(living[program].size()) + " " + program + " run, and " + std::to_string(count) + " should");
    }
    return problems;
}

Aftermath::Problems Aftermath::zombies() const {
    std::set<pid_t> ours;
    for (const auto& [program, pids] : living_by_program()) {
        if (program.starts_with("pp-")) ours.insert(pids.begin(), pids.end());
    }
    Problems problems;
    for (const pid_t pid : os::all_pids()) {
        const auto stat = os::find_proc_stat(pid);
        if (stat && stat->state == 'Z' && ours.contains(stat->parent))
            problems.push_back("pid " + std::to_string(pid) + " (" + stat->comm + ") of " + std::to_string(stat->parent));
    }
    return problems;
}

Aftermath::Descriptors Aftermath::descriptors_of(pid_t pid) {
    Descriptors found;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd", gone}) {
        const auto link = fs::read_symlink(entry.path(), gone);
        if (!gone) ++found[kind_of(link.string())];
    }
    return found;
}

/// What has been through the storm has as many descriptors as what is new in its place.
void Aftermath::check_descriptors() {
    const auto living = living_by_program();
    if (!living.contains("pp-hub") || !living.contains("pp-keeper")) return;  // told already
    const auto old_keeper = descriptors_of(living.at("pp-keeper").front());
    const auto without_kept_pages = [](Descriptors all) {  // which it keeps as far as it was asked for them
        std::erase_if(all, [](const auto& kind) { return kind.first.ends_with(".state"); });
        return all;
    };
    const auto old_hub = without_kept_pages(descriptors_of(living.at("pp-hub").front()));
    const auto same = [](const char* what, const Descriptors& now, const Descriptors& before) {
        return now == before ? Problems{}
                             : Problems{std::string{what} + " had " + text_of(before) + "; a new one has " + text_of(now)};
    };

    const auto leaves_others = [&](std::uint64_t process, pid_t main) {
        const auto mark = rundir::process_id(process) + "#";
        const auto actors = living.find("torture_actor");
        return actors != living.end() && std::any_of(actors->second.begin(), actors->second.end(), [&](pid_t pid) {
            return pid != main && mark_of(pid).starts_with(mark);
        });
    };
    std::map<std::uint64_t, Descriptors> old_shims;
    const auto live = client_.insist("list", {{"project", "all"}, {"state", "live"}});
    for (const auto& row : live.at("processes")) {
        const auto process = number_of(row);
        const auto state = ring::find_state(installation_.home().state_page(process));
        if (leaves_others(process, state->lifecycle.main_pid)) continue;  // whom a shim holds once it has looked for them
        old_shims[process] = descriptors_of(state->lifecycle.shim_pid);
        const Watchdog::Wait wait{dog_, "a successor after the storm"};
        const WatchedPage page{dog_, installation_.home(), process};
        const pid_t old = state->lifecycle.shim_pid;
        has_killed(old);
        page.wait_until("a successor", [&](const auto& now) { return now.lifecycle.shim_pid != old; });
    }
    for (const auto& [process, before] : old_shims) {
        eventually("descriptors of a shim", [&, process = process, &before = before] {
            const pid_t shim = ring::find_state(installation_.home().state_page(process))->lifecycle.shim_pid;
            return same("the shim", descriptors_of(shim), before);
        });
    }
    has_killed(living.at("pp-keeper").front());
    eventually("descriptors of the keeper", [&] { return same("the keeper", descriptors_of(installation_.keeper_pid()), old_keeper); });
    client_.insist("hub_stop", json::object());
    eventually("descriptors of the hub", [&] {
        client_.insist("hub_status", json::object());
        return same("the hub", without_kept_pages(descriptors_of(installation_.hub_pid())), old_hub);
    });
}

// When all has ended ---------------------------------------------------------------------------------------------------

void Aftermath::shut_down() {
    const Watchdog::Wait wait{dog_, "pp shutdown --stop"};
    test::Running shutdown{{installation_.program("pp"), "shutdown", "--stop"}, installation_.environment(), installation_.work()};
    shutdown.close_input();
    const auto ran = shutdown.wait();
    if (ran.code != 0) violate("pp shutdown --stop ended with " + std::to_string(ran.code) + ": " + ran.out + ran.err);
    eventually("after pp shutdown --stop", [this] {
        Problems problems;
        for (const auto& [program, pids] : living_by_program())
            problems.push_back(std::to_string(pids.size()) + " " + program + " still run, such as " + std::to_string(pids.front()));
        return problems;
    });
}

void Aftermath::check_history() {
    const hub::Store store{installation_.home().history(), installation_.home().next_event()};
    const Truth truth{truth_path_};
    const auto known = installation_.home().known_processes();
    const std::set<std::uint64_t> kept{known.begin(), known.end()};
    for (std::uint64_t process = 1; process <= store.highest_process(); ++process) {
        if (kept.contains(process))
            check_process(store, truth, process);
        else if (const auto left = store.events(process, kAll); !left.empty())
            violate("the history still has " + std::to_string(left.size()) + " events of p" + std::to_string(process) + ", which was cleared");
    }
    for (const auto& [key, run] : truth.runs()) {
        if (run.pids.size() != 1)
            violate(std::to_string(run.pids.size()) + " programs began as p" + std::to_string(key.first) + "#" + std::to_string(key.second));
    }
}

/// The history has what the process's own file has, number by number, and each run begins and ends once.
void Aftermath::check_process(const hub::Store& store, const Truth& truth, std::uint64_t process) {
    auto events = store.events(process, kAll);
    std::reverse(events.begin(), events.end());
    const auto id = rundir::process_id(process) + ": ";
    std::map<std::uint32_t, std::vector<Event>> by_run;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].number != i + 1 || events[i].kind == hub::kMissingEvents)
            return violate(id + "the history has " + text_of(events[i]) + " in the place of event " + std::to_string(i + 1));
        by_run[events[i].run].push_back(events[i]);
    }
    for (const auto& written : rundir::read_events(installation_.home().events(process), 1)) {
        const bool is_there = written.number <= events.size();
        const auto& told = events[is_there ? written.number - 1 : 0];
        if (!is_there || told.kind != written.kind || told.run != written.run || told.exit_kind != written.exit_kind ||
            told.exit_value != written.exit_value)
            return violate(id + "the file has " + text_of(written) + ", and the history " + (is_there ? text_of(told) : "nothing"));
    }
    for (const auto& [run, of_run] : by_run) check_run(truth, process, run, of_run);
    for (const auto& [key, told] : truth.runs()) {
        if (key.first == process && !by_run.contains(key.second))
            violate(id + "run " + std::to_string(key.second) + " began, and the history does not know of it");
    }
}

void Aftermath::check_run(const Truth& truth, std::uint64_t process, std::uint32_t run, const std::vector<Event>& events) {
    ++runs_;
    const auto id = rundir::process_id(process) + "#" + std::to_string(run) + ": ";
    const auto all_of = [&](EventKind kind) {
        std::vector<Event> found;
        std::copy_if(events.begin(), events.end(), std::back_inserter(found), [&](const Event& event) { return event.kind == kind; });
        return found;
    };
    const auto started = all_of(EventKind::started);
    const auto exited = all_of(EventKind::exited);
    const auto failed = all_of(EventKind::start_failed);
    const Truth::Run* told = truth.find(process, run);
    if (failed.size() == 1 && started.empty() && exited.empty()) {
        if (told != nullptr) violate(id + "it began, and the history says that it could not be started");
        return;
    }
    if (started.size() != 1 || exited.size() != 1 || !failed.empty())
        return violate(id + std::to_string(started.size()) + " started, " + std::to_string(exited.size()) + " exited and " +
                       std::to_string(failed.size()) + " start_failed");
    const Event& exit = exited.front();
    if (exit.number < started.front().number) violate(id + "it exited before it started");
    if (told != nullptr && told->pids.front() != started.front().pid)
        violate(id + "it began as pid " + std::to_string(told->pids.front()) + ", and pid " + std::to_string(started.front().pid) + " is told");
    if (exit.exit_kind == ring::ExitKind::unknown) {
        ++unknown_exits_;
        if (!kills_.nobody_was_there(process, exit.time_ns)) violate(id + "how it ended is unknown, and somebody was there");
    } else if (!explains(told, process, exit)) {
        violate(id + "nobody told it or made it to end as " + text_of(exit) + ", and it says " +
                (told == nullptr ? "nothing" : told->ended_with ? "code " + std::to_string(*told->ended_with) : "nothing of an end"));
    }
}

/// By itself, by what we sent, or by what pp was asked to send.
bool Aftermath::explains(const Truth::Run* told, std::uint64_t process, const Event& exit) const {
    if (exit.exit_kind == ring::ExitKind::exited) return told != nullptr && told->ended_with == exit.exit_value;
    const bool was_asked = exit.stop_requested != 0 && (exit.exit_value == SIGTERM || exit.exit_value == SIGKILL);
    return was_asked || kills_.has({process, exit.run, exit.exit_value});
}

/// And with all cleared nothing is left of them.
void Aftermath::clear_all() {
    const auto cleared = client_.insist("clear", {{"all", true}, {"project", "all"}});
    if (!cleared.at("kept").empty()) violate("not cleared: " + cleared.at("kept").dump());
    const auto left = client_.insist("list", {{"project", "all"}}).at("processes");
    if (!left.empty()) violate("cleared, and still listed: " + left.dump());
    shut_down();
    for (const auto& directory : {installation_.home().run(), installation_.home().processes()}) {
        for (const auto& entry : fs::directory_iterator{directory}) {
            const auto name = entry.path().filename().string();
            if (rundir::find_process_number(name.substr(0, name.find('.')))) violate(entry.path().string() + " is left");
        }
    }
    const hub::Store store{installation_.home().history(), installation_.home().next_event()};
    for (const auto& [process, last] : store.last_events())
        violate("the history still has event " + std::to_string(last) + " of p" + std::to_string(process) + ", which was cleared");
}

}  // namespace pp::torture
