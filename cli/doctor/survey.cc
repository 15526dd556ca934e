#include "cli/doctor/survey.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>

#include "cli/caller.h"
#include "cli/hub_client.h"
#include "cli/target.h"
#include "protocol/os/ofd_lock.h"
#include "protocol/os/unix_socket.h"
#include "protocol/wire/codec.h"

namespace pp::cli::doctor {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{3000};  // of a hub on a machine that is busy

/// Not by a HubClient: that would bring a hub back that ends meanwhile.
std::optional<json> ask_hub_that_listens(const Context& context, const os::PidFd& hub) {
    wire::Context zmq;
    auto channel = wire::Channel::dealer(zmq, context.home.control_socket());
    if (!channel.send(wire::encode(request_of_caller(context, "hub_status", "{}")))) return std::nullopt;
    const auto end = Clock::now() + kPatience;
    while (true) {
        if (const auto frame = channel.try_receive()) {
            const auto reply = wire::decode<wire::Reply>(frame->bytes);
            return reply.status == "ok" ? json::parse(reply.result, nullptr, false)
                                        : json{{"refused", reply.text}};
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        std::array<pollfd, 2> polled{pollfd{channel.fd(), POLLIN, 0}, pollfd{hub.get(), POLLIN, 0}};
        if (left.count() <= 0 || ::poll(polled.data(), polled.size(), static_cast<int>(left.count())) <= 0)
            return std::nullopt;
        if (polled[1].revents != 0) return std::nullopt;
    }
}

void look_at_hub(const Context& context, Survey& survey) {
    survey.epoch = rundir::find_hub_epoch(context.home);
    survey.hub_lock_held = os::OfdLock::is_held(context.home.hub_lock());
    if (!survey.hub_lock_held) return;
    survey.hub = Survey::Hub::silent;
    const auto* program = survey.find("pp-hub");
    const bool is_stopped = program != nullptr && program->state == 'T';
    const auto hub = find_hub(context.home);
    if (!hub || is_stopped) return;
    if (auto status = ask_hub_that_listens(context, *hub); status && status->is_object()) {
        survey.hub = Survey::Hub::answers;
        survey.hub_status = *std::move(status);
    }
}

void look_at_keeper(const Context& context, Survey& survey) {
    survey.keeper_lock_held = os::OfdLock::is_held(context.home.keeper_lock());
    if (!survey.keeper_lock_held) return;
    const auto connection = os::find_seqpacket(context.home.keeper_socket());
    survey.keeper_listens = connection || os::is_listening(context.home.keeper_socket());
    ucred peer{};
    socklen_t size = sizeof peer;
    if (connection && ::getsockopt(connection->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        survey.keeper_pid = peer.pid;
}

}  // namespace

const RunningProgram* Survey::find(const std::string& name) const {
    const auto found = std::find_if(programs.begin(), programs.end(),
                                    [&](const RunningProgram& program) { return program.name == name; });
    return found == programs.end() ? nullptr : &*found;
}

pid_t Survey::shim_of(std::uint64_t process) const {
    for (const auto& program : programs) {
        if (program.name == "pp-shim" && program.process == process) return program.pid;
    }
    return 0;
}

Survey survey(const Context& context) {
    Survey survey;
    const auto look = [&](const char* what, const auto& at) {
        try {
            at();
        } catch (const std::exception& error) {
            survey.refusals.push_back(std::string{what} + " could not be looked at: " + error.what());
        }
    };
    look("running programs", [&] { survey.programs = find_running_programs(context.environment); });
    look("the processes' files", [&] { survey.processes = read_all_processes(context.home); });
    look("the hub", [&] { look_at_hub(context, survey); });
    look("the keeper", [&] { look_at_keeper(context, survey); });
    return survey;
}

}  // namespace pp::cli::doctor
