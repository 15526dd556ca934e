#include "protocol/rundir/process_view.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "protocol/os/error.h"
#include "protocol/os/proc.h"

namespace pp::rundir {
namespace {

using nlohmann::json;

bool is_crash(int signal) {
    static constexpr std::array kCrashes = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP};
    return std::find(kCrashes.begin(), kCrashes.end(), signal) != kCrashes.end();
}

// json(x) and never json{x}: g++ takes braces around a value for an array of one.
json time_or_null(std::int64_t time_ns) { return time_ns == 0 ? json{} : json(iso_time(time_ns)); }

/// 0 where the clock has gone back in between.
std::int64_t milliseconds_between(std::int64_t from_ns, std::int64_t to_ns) {
    if (to_ns <= from_ns) return 0;
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns)) / 1'000'000);
}

bool lives(const ring::Lifecycle& life) {
    return life.state == ring::LifeState::running || life.state == ring::LifeState::stopping;
}

/// What is recorded, and what can be seen of a run whose end nobody has recorded.
ring::Lifecycle seen_lifecycle(const ProcessFiles& files) {
    auto life = files.lifecycle();
    if (files.main_is_gone && life.exit_kind == ring::ExitKind::none) {
        life.exit_kind = ring::ExitKind::unknown;
        life.state = ring::LifeState::finished;
    }
    return life;
}

bool began_before_this_boot(const ring::Lifecycle& life) {
    timespec wall{};
    timespec since_boot{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return life.started_at_ns > 0 && life.started_at_ns / 1'000'000'000 < wall.tv_sec - since_boot.tv_sec;
}

std::string how_unknown(const ProcessFiles& files, const ring::Lifecycle& life) {
    const bool is_of_another_boot =
        files.state ? !files.state->this_boot : files.remembered && began_before_this_boot(life);
    if (is_of_another_boot) return "ended with the machine: how run " + std::to_string(life.run) + " ended is not known (reboot)";
    if (files.main_is_gone) return "has ended; how is not known yet: nobody looked after it";
    return "has ended; how is not known: whoever could have seen it had been killed";
}

std::string duration_text(std::int64_t nanoseconds) {
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    return text.data();
}

}  // namespace

Outcome outcome_of(const ring::Lifecycle& life) {
    switch (life.exit_kind) {
        case ring::ExitKind::none: return Outcome::none;
        case ring::ExitKind::unknown: return Outcome::unknown;
        case ring::ExitKind::not_started: return Outcome::failed;
        case ring::ExitKind::exited:
            if (life.stop_requested != 0) return Outcome::stopped;
            return life.exit_value == 0 ? Outcome::succeeded : Outcome::failed;
        case ring::ExitKind::signaled:
            if (life.stop_requested != 0) return Outcome::stopped;
            return is_crash(life.exit_value) ? Outcome::crashed : Outcome::killed;
    }
    return Outcome::unknown;
}

std::string outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::none: return "";
        case Outcome::succeeded: return "succeeded";
        case Outcome::failed: return "failed";
        case Outcome::crashed: return "crashed";
        case Outcome::killed: return "killed";
        case Outcome::stopped: return "stopped";
        case Outcome::unknown: return "unknown";
    }
    return "unknown";
}

std::string state_name(ring::LifeState state) {
    switch (state) {
        case ring::LifeState::none:
        case ring::LifeState::starting: return "starting";
        case ring::LifeState::building: return "building";
        case ring::LifeState::running: return "running";
        case ring::LifeState::stopping: return "stopping";
        case ring::LifeState::backoff: return "backoff";
        case ring::LifeState::finished: return "finished";
    }
    return "unknown";
}

std::string signal_name(int signal) {
    if (const char* name = ::sigabbrev_np(signal)) return std::string{"SIG"} + name;
    return "signal " + std::to_string(signal);
}

std::optional<int> find_signal(const std::string& name) {
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc{} && end == name.data() + name.size())
        return number > 0 && number < NSIG ? std::optional{number} : std::nullopt;
    std::string wanted = name;
    std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (wanted.starts_with("SIG")) wanted.erase(0, 3);
    for (int signal = 1; signal < NSIG; ++signal) {
        const char* known = ::sigabbrev_np(signal);
        if (known != nullptr && wanted == known) return signal;
    }
    return std::nullopt;
}

std::string iso_time(std::int64_t time_ns) {
    const auto seconds = static_cast<std::time_t>(time_ns / 1'000'000'000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 40> text{};
    const auto used = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text.data() + used, text.size() - used, ".%03dZ", static_cast<int>(time_ns / 1'000'000 % 1000));
    return text.data();
}

std::string trouble(const ProcessFiles& files) {
    if (!files.page_damage.empty()) return {};
    const auto life = files.lifecycle();
    if (files.held && !files.state && life.run > 0)
        return "its state page has been removed from the run directory; 'pp hub restart' brings it back";
    if (files.main_is_gone)
        return "all that could have seen how it ended had been killed; 'pp hub start' finds out whether the system can still tell";
    if (files.is_unattended() && files.given_up)
        return "nobody looks after it: " + files.given_up->why +
               (life.exit_kind == ring::ExitKind::none ? "; what it writes waits" : "; what it had written last waits") +
               " in its pipe, and the next command for it tries again";
    if (files.is_unattended())
        return "nobody looks after it: its shim has been killed; what it writes waits in its pipe, and 'pp hub start' brings a shim back";
    if (files.state && files.state->this_boot && files.state->unreachable > 0 && life.exit_kind == ring::ExitKind::none)
        return "what it writes cannot be reached any more: all of pp had been killed, and the system does not let pp look into it "
               "(it has another user, or made itself undumpable); it may come to wait for room in its pipe, and a restart gives it a new one";
    return {};
}

std::string attention_of(const ProcessFiles& files) {
    if (trouble(files).empty() || seen_lifecycle(files).exit_kind != ring::ExitKind::none) return "none";
    if (files.is_unattended()) return "unattended";
    return files.state && files.state->unreachable > 0 ? "unreachable" : "none";
}

std::string explanation(const ProcessFiles& files) {
    if (!files.page_damage.empty()) return "is damaged, and whether it runs is not known: " + files.page_damage;
    const auto life = seen_lifecycle(files);
    std::string after;
    if (life.ended_at_ns > life.started_at_ns && life.started_at_ns > 0)
        after = " after " + duration_text(life.ended_at_ns - life.started_at_ns);
    const std::string asked = life.stop_requested != 0 ? ", because pp was asked to stop it" : "";
    switch (life.exit_kind) {
        case ring::ExitKind::none:
            if (life.state == ring::LifeState::stopping) return "is being stopped";
            return lives(life) ? "runs" : "is being started";
        case ring::ExitKind::not_started: return "could not be started: " + os::error_text(life.exit_value);
        case ring::ExitKind::exited:
            return "exited with code " + std::to_string(life.exit_value) + after + asked;
        case ring::ExitKind::signaled:
            return "was ended by " + signal_name(life.exit_value) + (life.core_dumped != 0 ? " (core dumped)" : "") +
                   after + asked;
        case ring::ExitKind::unknown: return how_unknown(files, life);
    }
    return "has ended in a way that this version does not know";
}

std::string damage_of(const ProcessFiles& files) {
    if (files.log_damage.empty()) return files.damage;
    return files.damage + (files.damage.empty() ? "" : "; ") + "its log cannot be read: " + files.log_damage;
}

std::string why(const ProcessFiles& files) {
    const auto text = trouble(files);
    return explanation(files) + (text.empty() ? "" : "; " + text);
}

std::string state_of(const ProcessFiles& files) {
    return files.damage.empty() || files.state ? state_name(seen_lifecycle(files).state) : "damaged";
}

int live_pid(const ProcessFiles& files) {
    const auto life = seen_lifecycle(files);
    return lives(life) && life.main_pid > 0 ? life.main_pid : 0;
}

json settled_process_json(const ProcessFiles& files) {
    static const Launch kUnknown;
    const Launch& launch = files.launch ? *files.launch : kUnknown;
    const auto life = seen_lifecycle(files);
    const auto outcome = outcome_of(life);
    const int pid = live_pid(files);
    const bool ended_by_exit = life.exit_kind == ring::ExitKind::exited;
    const bool ended_by_signal = life.exit_kind == ring::ExitKind::signaled;
    json owner{{"kind", launch.owner_kind.empty() ? "human" : launch.owner_kind},
               {"client", launch.owner_client.empty() ? json{} : json(launch.owner_client)}};
    json view{
        {"id", process_id(files.number)},
        {"name", launch.name},
        {"label", launch.label},
        {"project", launch.project},
        {"owner", owner},
        {"command", launch.command},
        {"working_directory", launch.working_directory},
        {"mode", launch.mode},
        {"state", state_of(files)},
        {"ready", "unknown"},
        {"attention", attention_of(files)},
        {"descendants", life.descendants},
        {"pid", pid > 0 ? json(pid) : json{}},
        {"run", life.run},
        {"started_at", time_or_null(life.started_at_ns)},
        {"ended_at", time_or_null(life.ended_at_ns)},
        {"outcome", outcome == Outcome::none ? json{} : json(outcome_name(outcome))},
        {"exit_code", ended_by_exit ? json(life.exit_value) : json{}},
        {"signal", ended_by_signal ? json(signal_name(life.exit_value)) : json{}},
        {"restarts", life.restarts},
        {"ports", json::array()},
    };
    if (const auto damage = damage_of(files); !damage.empty()) view["damage"] = damage;
    if (auto text = trouble(files); !text.empty()) view["trouble"] = std::move(text);
    return view;
}

std::optional<std::int64_t> uptime_ms(const ProcessFiles& files, std::int64_t now_ns) {
    const auto life = seen_lifecycle(files);
    if (life.started_at_ns <= 0) return std::nullopt;
    return milliseconds_between(life.started_at_ns, life.ended_at_ns != 0 ? life.ended_at_ns : now_ns);
}

json process_json(const ProcessFiles& files, std::int64_t now_ns) {
    auto view = settled_process_json(files);
    const auto uptime = uptime_ms(files, now_ns);
    view["uptime_ms"] = uptime ? json(*uptime) : json{};
    view["cursor"] = files.state ? files.state->tail : 0;
    return view;
}

std::string project_of(const std::string& directory) {
    std::string at = directory;
    while (at.size() > 1 && at.back() == '/') at.pop_back();
    const std::string itself = at;
    while (true) {
        for (const char* mark : {"/pp.toml", "/.mcp-run", "/.git"}) {
            struct stat status {};
            if (::stat(((at == "/" ? "" : at) + mark).c_str(), &status) == 0) return at;
        }
        if (at == "/" || at.empty()) return itself;
        const auto slash = at.rfind('/');
        at = slash == 0 ? "/" : at.substr(0, slash);
    }
}

}  // namespace pp::rundir
