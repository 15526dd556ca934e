#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "hub/config/settings.h"
#include "hub/event_loop.h"
#include "hub/hub.h"
#include "hub/log.h"
#include "hub/predecessor.h"
#include "hub/sweep.h"
#include "protocol/os/daemon.h"
#include "protocol/os/freed_memory.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/signal_fd.h"
#include "protocol/rundir/home.h"

namespace {

using pp::os::OfdLock;

enum ExitCode { kDone = 0, kFailed = 1, kUsage = 2 };

constexpr std::chrono::seconds kStartPatience{5};
constexpr const char* kHelp =
    "usage: pp-hub [--port N]\n"
    "\n"
    "The hub of pp: knows all processes, and answers pp (run/control.sock) and agents (MCP over HTTP).\n"
    "pp starts it by itself; run by hand it stays in the foreground. SIGTERM and SIGINT end it; processes "
    "live on.\n"
    "\n"
    "  --port N    TCP port on 127.0.0.1; 0 takes a free one. Default: PP_PORT, else [hub] port of "
    "config.toml, else 8947\n"
    "  --check     print the settings that it would take, and what is wrong with them: port N, problem TEXT\n"
    "  --version   print the version\n"
    "  --help      print this\n";

struct Options {
    std::optional<int> port;
};

/// Throws std::invalid_argument with what is wrong.
Options parse_options(const std::vector<std::string>& arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string argument = arguments[i];
        if (argument == "--port") {
            if (++i == arguments.size()) throw std::invalid_argument("--port needs a number");
            argument = "--port=" + arguments[i];
        }
        if (!argument.starts_with("--port="))
            throw std::invalid_argument("unknown argument '" + argument + "'");
        options.port = pp::hub::find_port(argument.substr(7));
        if (!options.port)
            throw std::invalid_argument("the port must be a number from 0 to 65535, not '" +
                                        argument.substr(7) + "'");
    }
    return options;
}

/// Who wants to be the hub holds the byte for starting first, so who gets that and not the other knows that a
/// hub is ready.
struct HubLocks {
    std::optional<OfdLock> starting;
    std::optional<OfdLock> alive;
};

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// Whoever looks for a hub finds this one: it listens, for we have the byte for starting.
bool can_be_found(const pp::rundir::Home& home) {
    return is_there(home.hub_epoch()) && is_there(home.shims_socket()) &&
           (is_there(home.control_socket()) || is_there(home.control_socket() + ".full"));
}

HubLocks take_locks(const pp::rundir::Home& home) {
    const bool may_be_wiped = !is_there(home.hub_lock());
    HubLocks locks;
    locks.starting = OfdLock::take_within(home.hub_lock(), OfdLock::kStarting, kStartPatience);
    if (!locks.starting) return locks;
    if (may_be_wiped) pp::hub::end_nameless_hubs(home);
    locks.alive = OfdLock::try_take(home.hub_lock(), OfdLock::kAlive);
    if (locks.alive || can_be_found(home)) return locks;
    pp::hub::end_unreachable_hub(home);  // or it is just ending
    locks.alive = OfdLock::take_within(home.hub_lock(), OfdLock::kAlive, kStartPatience);
    return locks;
}

std::string holder_of(const pp::rundir::Home& home, long byte) {
    const pid_t pid = OfdLock::find_holder(home.hub_lock(), byte);
    return pid > 0 ? " (pid " + std::to_string(pid) + ")" : "";
}

/// Returns the limits as they were.
rlimit raise_descriptor_limit() {
    rlimit found{};
    ::getrlimit(RLIMIT_NOFILE, &found);
    const rlimit raised{found.rlim_max, found.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
    return found;
}

std::int64_t limit_value(rlim_t limit) {
    return limit == RLIM_INFINITY ? -1 : static_cast<std::int64_t>(limit);
}

std::uint32_t current_file_mode_mask() {
    const mode_t mask = ::umask(022);
    ::umask(mask);
    return mask;
}

int check_settings() {
    const auto environment = pp::rundir::current_environment(environ);
    const auto home = pp::rundir::Home::from_environment(environment, ::geteuid());
    const auto settings = pp::hub::load_settings(home, environment);
    std::printf("port %d\n", settings.port);
    for (const auto& problem : settings.problems) std::printf("problem %s\n", problem.c_str());
    return kDone;
}

/// "ready", and a line for each thing in the configuration that whoever started us ought to hear of.
std::string ready_text(const pp::hub::Settings& settings) {
    std::string text = "ready\n";
    for (const auto& problem : settings.problems) text += problem + "\n";
    return text;
}

int serve(const Options& options) {
    const auto environment = pp::rundir::current_environment(environ);
    const auto home = pp::rundir::Home::from_environment(environment, ::geteuid());
    home.prepare();
    pp::os::SignalFd signals{SIGTERM, SIGINT, SIGHUP};
    std::signal(SIGPIPE, SIG_IGN);  // a client that has gone is an error of its write
    auto locks = take_locks(home);
    if (!locks.starting)
        throw std::runtime_error("another hub" + holder_of(home, OfdLock::kStarting) + " has been starting for " +
                                 std::to_string(kStartPatience.count()) +
                                 " s and hangs; 'pp hub restart' ends it and starts one (processes live on)");
    if (!locks.alive) {
        const auto epoch = pp::rundir::find_hub_epoch(home);
        if (is_there(home.control_socket() + ".full"))
            throw std::runtime_error("the hub has as many clients as it takes" + holder_of(home, OfdLock::kAlive) +
                                     "; end some, or try again later");
        std::fprintf(stderr, "pp-hub: a hub runs already (pid %d)\n", epoch ? epoch->pid : 0);
        pp::os::report_ready("ready\n");
        return kDone;
    }
    const pp::hub::Log log{home.log("hub")};
    try {
        pp::hub::sweep(home);
        auto settings = pp::hub::load_settings(home, environment);
        if (options.port) settings.port = *options.port;
        pp::os::keep_freed_memory();
        const auto limit = raise_descriptor_limit();
        pp::hub::EventLoop loop;
        pp::hub::Hub hub{loop,
                         signals,
                         {home, log, settings, environment, limit_value(limit.rlim_cur),
                          limit_value(limit.rlim_max), current_file_mode_mask(), [&] {
                              locks.starting->release();
                              pp::os::report_ready(ready_text(settings));
                          }}};
        loop.run();
    } catch (const std::exception& error) {
        log.say(std::string{"pp-hub failed: "} + error.what());
        throw;
    }
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments{argv + 1, argv + argc};
    if (!arguments.empty() && (arguments[0] == "--version" || arguments[0] == "--help")) {
        std::fputs(arguments[0] == "--version" ? "pp-hub " PP_VERSION "\n" : kHelp, stdout);
        return kDone;
    }
    try {
        if (arguments == std::vector<std::string>{"--check"}) return check_settings();
        return serve(parse_options(arguments));
    } catch (const std::invalid_argument& wrong) {
        std::fprintf(stderr, "pp-hub: %s\n%s", wrong.what(), kHelp);
        return kUsage;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pp-hub: %s\n", error.what());
        pp::os::report_ready(std::string{"error: "} + error.what() + "\n");
        return kFailed;
    }
}
