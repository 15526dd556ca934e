#include "hub/control/control_server.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "protocol/os/pid_fd.h"
#include "protocol/rundir/nearest.h"
#include "protocol/os/pid_namespace.h"
#include "protocol/rundir/process_view.h"
#include "protocol/wire/codec.h"

namespace pp::hub {
namespace {

using nlohmann::json;

constexpr int kFramesPerTurn = 64;
constexpr std::chrono::milliseconds kFarewellLimit{2000};  // for a client that does not take its answer
constexpr std::size_t kMaxLimits = 64;
constexpr std::uint32_t kMaxTerminalLength = 1000;

/// "[[resource, soft, hard], …]" → resource, soft, hard, …
std::vector<std::int64_t> limits_in(const std::string& text) {
    std::vector<std::int64_t> limits;
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_array() || parsed.size() > kMaxLimits) return limits;
    for (const auto& limit : parsed) {
        if (!limit.is_array() || limit.size() != 3) continue;
        for (const auto& number : limit)
            limits.push_back(number.is_number_integer() ? number.get<std::int64_t>() : -1);
    }
    return limits;
}

/// A number of another pid namespace may be anybody's in ours.
int pid_here(const wire::Request& request) {
    static const auto kOurs = os::own_pid_namespace();
    return request.pid_namespace == 0 || request.pid_namespace == kOurs ? request.pid : 0;
}

Caller caller_of(const wire::Request& request) {
    Caller caller;
    caller.owner_kind = "human";
    caller.client = "pp";
    caller.directory = request.working_directory;
    if (!caller.directory.empty()) caller.project = rundir::project_of(caller.directory);
    if (!request.environment.empty()) caller.environment = request.environment;
    caller.file_mode_mask = request.file_mode_mask;
    caller.limits = limits_in(request.limits_json);
    caller.nice = request.nice;
    caller.streams = request.streams.empty() ? "merged" : request.streams;
    if (request.rows > 0) caller.rows = std::min(request.rows, kMaxTerminalLength);
    if (request.columns > 0) caller.columns = std::min(request.columns, kMaxTerminalLength);
    caller.pid_namespace = request.pid_namespace;
    caller.pid = pid_here(request);
    caller.key = request.key;
    return caller;
}

/// Not an object if they are none. A command that came as bytes stays so: JSON in memory holds any.
json arguments_of(const wire::Request& request) {
    json arguments = request.arguments.empty() ? json::object() : json::parse(request.arguments, nullptr, false);
    if (!arguments.is_object()) return arguments;
    if (!request.argv.empty()) arguments["command"] = request.argv;
    if (!request.command.empty()) arguments["command"] = request.command;
    return arguments;
}

std::string unknown_operation(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& tool : tools()) known.push_back(tool.name);
    const auto meant = rundir::find_nearest(name, known);
    return "this hub (" PP_VERSION ") knows no operation '" + name + "'" +
           (meant ? "; did you mean '" + *meant + "'?" : "");
}

wire::Channel limited_router(wire::Context& zmq, const std::string& path, std::size_t most_clients) {
    auto channel = wire::Channel::router(zmq, path, static_cast<int>(most_clients / 2));
    channel.deliver_at_end(kFarewellLimit);
    channel.limit_peers(zmq, most_clients);
    return channel;
}

}  // namespace

/// A request that has not been answered yet.
struct ControlServer::Open {
    Call call;
    std::optional<os::PidFd> client;
    std::unique_ptr<EventLoop::Watch> death;
};

ControlServer::ControlServer(EventLoop& loop, const Log& log, wire::Context& zmq,
                             const std::string& socket_path, std::size_t most_clients, Context& context)
    : loop_{loop},
      log_{log},
      context_{context},
      channel_{limited_router(zmq, socket_path, most_clients)},
      watch_{loop, channel_.fd(), EventLoop::Watch::For::reading, [this] { channel_.on_wake(); }},
      peers_watch_{loop, channel_.peers_fd(), EventLoop::Watch::For::reading, [this] { may_have_new_peers_ = true; }} {
    loop_.on_prepare([this, alive = std::weak_ptr<char>{alive_}] {
        if (alive.expired()) return false;
        const bool any_came = may_have_new_peers_ && channel_.count_peers();
        may_have_new_peers_ = channel_.is_door_stuck();
        return drain() || any_came;
    });
}

ControlServer::~ControlServer() = default;

bool ControlServer::drain() {
    for (int i = 0; i < kFramesPerTurn; ++i) {
        const auto frame = channel_.try_receive_if_woken();
        if (!frame) return i > 0;
        try {
            on_frame(*frame);
        } catch (const wire::BadMessage& bad) {
            log_.say(std::string{"a message on control.sock was dropped: "} + bad.what());
        }
    }
    return true;
}

void ControlServer::on_frame(const wire::Frame& frame) {
    const auto request = wire::decode<wire::Request>(frame.bytes);
    if (request.protocol < wire::kOldestControlProtocol || request.protocol > wire::kControlProtocol) {
        const std::string text =
            "the hub is pp " PP_VERSION ", and pp is " + request.version +
            ": they do not understand each other; run: pp hub restart (processes live on)";
        return reply(frame.peer, request.token, refused(Refusal(Refusal::Kind::failed, text)));
    }
    serve(frame.peer, request);
}

void ControlServer::serve(const std::string& peer, const wire::Request& request) {
    const json arguments = arguments_of(request);
    const Tool* tool = find_tool(request.operation);
    if (tool == nullptr)
        return reply(peer, request.token,
                     refused(Refusal(Refusal::Kind::usage, unknown_operation(request.operation))));
    if (!arguments.is_object())
        return reply(peer, request.token,
                     refused(Refusal(Refusal::Kind::usage, "the arguments are not a JSON object")));
    const auto id = next_id_++;
    open_[id] = std::make_unique<Open>();
    auto call = call_tool(
        *tool, context_, arguments, caller_of(request),
        [this, alive = std::weak_ptr<char>{alive_}, id, peer, token = request.token](ToolResult result) {
            if (alive.expired() || !open_.contains(id)) return;
            reply(peer, token, std::move(result));
            loop_.defer([this, alive, id] {  // it may be the one that is calling
                if (!alive.expired()) open_.erase(id);
            });
        });
    if (call == nullptr) return;
    open_.at(id)->call = std::move(call);
    watch_client(id, pid_here(request));
}

void ControlServer::watch_client(std::uint64_t id, int pid) {
    if (pid <= 0) return;
    Open& open = *open_.at(id);
    try {
        open.client = os::PidFd::find(pid);
    } catch (const std::system_error& error) {  // out of descriptors: the answer is then sent to nobody
        log_.say(error.what());
    }
    if (!open.client) return;
    open.death = std::make_unique<EventLoop::Watch>(loop_, open.client->get(), EventLoop::Watch::For::reading,
                                                    [this, id] { open_.erase(id); });
}

void ControlServer::reply(const std::string& peer, std::uint64_t token, ToolResult result) {
    wire::Reply reply;
    reply.token = token;
    reply.status = std::move(result.status);
    reply.result = std::move(result.structured);
    reply.text = std::move(result.text);
    channel_.send(wire::encode(reply), peer);
}

}  // namespace pp::hub
