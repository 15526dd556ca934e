#include "hub/hub.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>
#include <vector>

#include "hub/control/control_server.h"
#include "hub/history/history.h"
#include "hub/mcp/http_server.h"
#include "hub/mcp/server.h"
#include "hub/operations/context.h"
#include "hub/process/registry.h"
#include "hub/shims/fleet.h"
#include "hub/token.h"
#include "hub/tools/mcp_catalogue.h"
#include "hub/wall_clock.h"
#include "hub/worker.h"
#include "protocol/os/daemon.h"
#include "protocol/os/error.h"
#include "protocol/os/port_holder.h"
#include "protocol/os/proc.h"
#include "protocol/wire/channel.h"

namespace pp::hub {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHistoryPatience{2000};  // a locked history does not keep the hub from listening
constexpr milliseconds kFarewellLimit{2000};    // for a client that does not take its answer
constexpr std::size_t kWorkerThreads = 4;  // for what reads logs or waits for a program

/// Who may have how many of our descriptors. What clients do not get is for shims (two each), ZeroMQ and SQLite, which
/// cannot do without.
struct Shares {
    std::size_t http = 0;
    int first_reserved = 0;  ///< descriptor numbers from here on are not for clients
    std::size_t control = 0;
    std::size_t pages = 0;  ///< kept open
};

Shares shares_of_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto all = std::min<rlim_t>(limit.rlim_cur, 1 << 20);
    return {std::min<std::size_t>(1000, all / 4), static_cast<int>(all - all / 4), std::min<std::size_t>(4000, all / 4), all / 8};
}

std::vector<std::string> environment_of(const Hub::Setup& setup) {
    std::vector<std::string> entries;
    for (const auto& [name, value] : setup.environment) entries.push_back(name + "=" + value);
    return entries;
}

mcp::HttpLimits http_limits() {
    mcp::HttpLimits limits;
    limits.connections = shares_of_descriptors().http;
    limits.first_reserved = shares_of_descriptors().first_reserved;
    return limits;
}

}  // namespace

/// In the order of who needs whom.
struct Hub::Parts {
    explicit Parts(Hub& hub)
        : worker{hub.loop_, kWorkerThreads},
          registry{hub.setup_.home, shares_of_descriptors().pages},
          ids{hub.setup_.home},
          environments{worker, hub.setup_.home, hub.setup_.log, hub.setup_.environment},
          history{
              hub.loop_, hub.setup_.home, hub.setup_.log,
              [this](std::uint64_t process, std::uint64_t number) { fleet.acknowledge(process, number); }},
          fleet{{hub.loop_, worker, hub.setup_.home, hub.setup_.log, registry, history, [&hub] { hub.look_for_names(); }},
                zmq,
                hub.epoch_},
          context{hub.loop_,
                  worker,
                  hub.setup_.home,
                  hub.setup_.log,
                  registry,
                  fleet,
                  history,
                  environments,
                  ids,
                  hub.sandbox_,
                  [&hub](const Caller& caller) { return hub.status(caller); },
                  [&hub] { hub.end(); },
                  {RLIMIT_NOFILE, hub.setup_.nofile_soft, hub.setup_.nofile_hard}},
          control{hub.loop_, hub.setup_.log, zmq, hub.setup_.home.control_socket(),
                  shares_of_descriptors().control, context},
          catalogue{context, agent_defaults(hub.setup_)},
          mcp{{load_token(hub.setup_.home.token()), hub.setup_.settings.needs_token, 0}},
          http{hub.loop_.base(), mcp, http_limits()} {
        mcp.add_endpoint("/mcp", catalogue);
    }

    static Caller agent_defaults(const Setup& setup) {
        Caller caller;
        caller.file_mode_mask = setup.file_mode_mask;
        return caller;
    }

    Worker worker;
    Registry registry;
    Ids ids;
    Environments environments;
    wire::Context zmq;
    History history;
    Fleet fleet;
    Context context;
    ControlServer control;
    McpCatalogue catalogue;
    mcp::Server mcp;
    mcp::HttpServer http;
};

Hub::Hub(EventLoop& loop, os::SignalFd& signals, Setup setup)
    : loop_{loop},
      signals_{signals},
      setup_{std::move(setup)},
      epoch_{random_number()},
      started_at_ns_{wall_clock_ns()},
      hold_{setup_.home.hold()},
      parts_{std::make_unique<Parts>(*this)},
      signal_watch_{loop, signals.get(), EventLoop::Watch::For::reading,
                    [this] {
                        while (signals_.try_read()) end();
                    }},
      history_patience_{loop, [this] { go_on(0); }},
      farewell_limit_{loop, [this] { loop_.stop(); }} {
    for (const auto& problem : setup_.settings.problems) setup_.log.say(problem);
    for (const auto process : setup_.home.known_processes()) parts_->registry.refresh(process);
    listen_http();
    history_patience_.set(kHistoryPatience);
    parts_->history.open(parts_->registry.numbers(),
                         [this](History::Opened opened) { go_on(opened.highest_process); });
}

/// An epoch that is left behind is of a hub that was killed: who follows events starts another then.
Hub::~Hub() {
    if (ending_) ::unlink(setup_.home.hub_epoch().c_str());
}

/// A taken port is not fatal: the sockets serve, and the status says who has it.
void Hub::listen_http() {
    parts_->http.listen_unix(setup_.home.mcp_socket());
    int error = 0;
    port_ = parts_->http.listen_tcp(setup_.settings.port, error);
    parts_->mcp.set_port(port_);
    if (port_ != 0) return;
    const std::string port = std::to_string(setup_.settings.port);
    port_problem_ = error == EADDRINUSE ? "port " + port + " is taken by " + os::port_holder(setup_.settings.port)
                                        : "port " + port + ": " + os::error_text(error);
    setup_.log.say("no TCP: " + port_problem_);
}

/// The history has answered, or takes too long: from here on the hub is there for others.
void Hub::go_on(std::uint64_t highest_process) {
    parts_->ids.note(highest_process);
    if (std::exchange(going_on_, true)) return;
    history_patience_.clear();
    write_epoch();
    // whoever bound a socket before that is kicked; whoever does after that finds the epoch
    parts_->fleet.adopt([this] {
        setup_.log.say("pp-hub " PP_VERSION " listens; " + std::to_string(parts_->registry.numbers().size()) +
                       " processes known");
        setup_.on_ready();
    });
    parts_->history.note_hub(epoch_, ::getpid(), started_at_ns_);
}

/// Where the run directory was wiped under us nobody finds us any more, and another hub may live already. A new one takes our
/// place: it ends us, and waits for that, before it listens.
void Hub::look_for_names() {
    const auto& home = setup_.home;
    const auto epoch = rundir::find_hub_epoch(home);
    const bool is_ours = epoch && epoch->epoch == epoch_;
    const bool are_there = ::access(home.shims_socket().c_str(), F_OK) == 0 &&
                           (::access(home.control_socket().c_str(), F_OK) == 0 ||
                            ::access((home.control_socket() + ".full").c_str(), F_OK) == 0);
    if ((is_ours && are_there) || std::exchange(is_renewed_, true)) return;
    setup_.log.say("the names of this hub are gone from " + home.run() + "; another one is started in its place");
    parts_->worker.post([environment = environment_of(setup_)]() -> Worker::Then {
        try {
            static_cast<void>(os::begin_detached(os::sibling_program("pp-hub"), {}, environment));
        } catch (const std::exception&) {
            // the next command starts one
        }
        return [] {};
    });
}

void Hub::write_epoch() {
    rundir::HubEpoch epoch;
    epoch.epoch = epoch_;
    epoch.pid = ::getpid();
    const auto stat = os::find_proc_stat(epoch.pid);
    epoch.start_time = stat ? stat->start_time : 0;
    epoch.version = PP_VERSION;
    epoch.port = port_;
    rundir::write_hub_epoch(setup_.home, epoch);
}

/// Once what is being answered has been answered, and the kernel has taken it. What the control socket was given, its
/// end waits for.
void Hub::end() {
    if (std::exchange(ending_, true)) return;
    setup_.log.say("pp-hub ends; processes live on");
    parts_->history.note(HubEventKind::hub_stopped);
    farewell_limit_.set(kFarewellLimit);
    loop_.defer([this] { parts_->http.finish([this] { loop_.stop(); }); });
}

HubStatus Hub::status(const Caller& caller) const {
    HubStatus status;
    status.pid = ::getpid();
    status.version = PP_VERSION;
    status.started_at_ns = started_at_ns_;
    const auto home = setup_.environment.find("PP_HOME");
    status.home =
        home != setup_.environment.end() && !home->second.empty() ? home->second : setup_.home.state();
    status.processes = parts_->registry.numbers().size();
    status.shims = parts_->fleet.shims();
    status.keeper_pid = parts_->fleet.keeper_pid();
    status.outdated_shims = parts_->fleet.outdated_shims().size();
    status.is_keeper_outdated = parts_->fleet.has_outdated_keeper();
    status.port = port_;
    status.port_problem = port_problem_;
    if (port_ != 0) status.mcp_url = "http://127.0.0.1:" + std::to_string(port_) + "/mcp";
    status.mcp_socket = setup_.home.mcp_socket();
    status.history_problem = parts_->history.problem();
    if (status.history_problem.empty()) status.history_problem = parts_->history.replaced();
    status.sandbox = sandbox_for(parts_->context, caller);
    status.settings_problems = setup_.settings.problems;
    return status;
}

}  // namespace pp::hub
