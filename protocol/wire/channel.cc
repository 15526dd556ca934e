#include "protocol/wire/channel.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <set>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <zmq.hpp>
#pragma GCC diagnostic pop

#include "protocol/os/error.h"
#include "protocol/wire/codec.h"

namespace pp::wire {
namespace {

constexpr int kHighWaterMark = 10000;  // messages per peer and direction

[[noreturn]] void rethrow(const zmq::error_t& error, const char* operation, const std::string& object) {
    os::throw_error(error.num() >= ZMQ_HAUSNUMERO ? EIO : error.num(), operation, object);
}

void set_common_options(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
    socket.set(zmq::sockopt::rcvhwm, kHighWaterMark);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxMessage));
}

}  // namespace

struct Context::State {
    zmq::context_t context{1, 16};
};

Context::Context() : state_{std::make_unique<State>()} {}
Context::~Context() = default;

/// Who is connected, as libzmq tells it.
struct Channel::Door {
    zmq::socket_t events;
    std::size_t most = 0;
    std::set<int> peers;  ///< their descriptors
    bool open = true;
};

struct Channel::State {
    zmq::socket_t socket;
    bool routes = false;
    std::string path;
    std::unique_ptr<Door> door;
};

Channel::Channel(std::unique_ptr<State> state) : state_{std::move(state)} {}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;

Channel Channel::router(Context& context, const std::string& socket_path, int backlog) {
    try {
        zmq::socket_t socket{context.state_->context, zmq::socket_type::router};
        set_common_options(socket);
        socket.set(zmq::sockopt::backlog, backlog);
        socket.set(zmq::sockopt::router_mandatory, true);
        socket.set(zmq::sockopt::router_handover, true);
        socket.bind("ipc://" + socket_path);
        if (::chmod(socket_path.c_str(), 0600) != 0) os::throw_errno("chmod", socket_path);
        return Channel{std::make_unique<State>(State{std::move(socket), true, socket_path, nullptr})};
    } catch (const zmq::error_t& error) {
        rethrow(error, "bind", socket_path);
    }
}

Channel Channel::dealer(Context& context, const std::string& socket_path) {
    try {
        zmq::socket_t socket{context.state_->context, zmq::socket_type::dealer};
        set_common_options(socket);
        socket.set(zmq::sockopt::reconnect_ivl, -1);
        socket.connect("ipc://" + socket_path);
        return Channel{std::make_unique<State>(State{std::move(socket), false, socket_path, nullptr})};
    } catch (const zmq::error_t& error) {
        rethrow(error, "connect", socket_path);
    }
}

void Channel::limit_peers(Context& context, std::size_t most) {
    const std::string address = "inproc://peers of " + state_->path;
    ::unlink((state_->path + ".full").c_str());  // left by one that was killed
    constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
    try {
        if (::zmq_socket_monitor(state_->socket.handle(), address.c_str(), kEvents) != 0) throw zmq::error_t{};
        zmq::socket_t events{context.state_->context, zmq::socket_type::pair};
        events.connect(address);
        state_->door = std::make_unique<Door>(Door{std::move(events), most, {}, true});
    } catch (const zmq::error_t& error) {
        rethrow(error, "monitor", state_->path);
    }
}

int Channel::peers_fd() const { return state_->door->events.get(zmq::sockopt::fd); }

bool Channel::count_peers() {
    Door& door = *state_->door;
    bool any = false;
    zmq::message_t event;
    while (door.events.recv(event, zmq::recv_flags::dontwait)) {
        any = true;
        std::uint16_t kind = 0;
        std::int32_t fd = 0;
        if (event.size() == sizeof kind + sizeof fd) {
            std::memcpy(&kind, event.data(), sizeof kind);
            std::memcpy(&fd, static_cast<const std::byte*>(event.data()) + sizeof kind, sizeof fd);
            if (kind == ZMQ_EVENT_ACCEPTED)
                door.peers.insert(fd);
            else
                door.peers.erase(fd);
        }
        zmq::message_t address;
        if (event.more()) static_cast<void>(door.events.recv(address, zmq::recv_flags::dontwait));
    }
    const bool open = door.peers.size() < door.most;
    if (open == door.open) return any;
    const std::string hidden = state_->path + ".full";
    const bool moved = open ? ::rename(hidden.c_str(), state_->path.c_str()) == 0
                            : ::rename(state_->path.c_str(), hidden.c_str()) == 0;
    if (moved) door.open = open;
    return any;
}

int Channel::fd() const { return state_->socket.get(zmq::sockopt::fd); }

std::optional<Frame> Channel::try_receive() {
    while (true) {
        Frame frame;
        std::size_t parts = 0;
        bool more = true;
        while (more) {
            zmq::message_t part;
            zmq::recv_result_t got;
            try {
                got = state_->socket.recv(part, zmq::recv_flags::dontwait);
            } catch (const zmq::error_t& error) {
                if (error.num() == EINTR) continue;
                rethrow(error, "receive", "ZeroMQ");
            }
            if (!got) return std::nullopt;
            more = part.more();
            const bool is_peer = state_->routes && parts == 0;
            (is_peer ? frame.peer : frame.bytes).assign(static_cast<const char*>(part.data()), part.size());
            ++parts;
        }
        if (parts == (state_->routes ? 2U : 1U)) return frame;
    }
}

bool Channel::send(std::string_view bytes, const std::string& peer) {
    try {
        if (state_->routes &&
            !state_->socket.send(zmq::buffer(peer), zmq::send_flags::sndmore | zmq::send_flags::dontwait))
            return false;
        return state_->socket.send(zmq::buffer(bytes), zmq::send_flags::dontwait).has_value();
    } catch (const zmq::error_t& error) {
        if (error.num() == EHOSTUNREACH || error.num() == EINTR || error.num() == EAGAIN) return false;
        rethrow(error, "send", "ZeroMQ");
    }
}

}  // namespace pp::wire
