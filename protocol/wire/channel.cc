#include "protocol/wire/channel.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

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

/// Milliseconds: 12 days, and at most twice that with libzmq's jitter. By -1 the end of a connection would also be the end of
/// its pipe, with all that had come and was not read yet: the last answer of a hub that ends (libzmq 4.3.4,
/// session_base_t::reconnect and socket_base_t::term_endpoint).
constexpr int kNoReconnect = 1 << 30;
/// libzmq aborts where the system refuses its two threads. One more, for what has just ended here may count for a moment yet.
void make_sure_of_threads() {
    std::mutex until_all_are_there;
    std::array<std::jthread, 3> threads;
    const std::lock_guard lock{until_all_are_there};
    for (auto& thread : threads)
        thread = std::jthread{[&] { const std::lock_guard ended_by_this{until_all_are_there}; }};
}

void set_common_options(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
    socket.set(zmq::sockopt::rcvhwm, kHighWaterMark);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxMessage));
}

/// Tells what happens to the connections of a socket, from now on.
zmq::socket_t monitor(zmq::context_t& context, zmq::socket_t& socket, int kinds) {
    static std::atomic<unsigned> next{0};  // libzmq frees an address some time after its socket's end
    const std::string address = "inproc://monitor " + std::to_string(++next);
    if (::zmq_socket_monitor(socket.handle(), address.c_str(), kinds) != 0) throw zmq::error_t{};
    zmq::socket_t events{context, zmq::socket_type::pair};
    events.connect(address);
    return events;
}

/// False if there is nothing.
bool receive_now(zmq::socket_t& socket, zmq::message_t& message) {
    while (true) {
        try {
            return socket.recv(message, zmq::recv_flags::dontwait).has_value();
        } catch (const zmq::error_t& error) {
            if (error.num() != EINTR) rethrow(error, "receive", "ZeroMQ");
        }
    }
}

struct MonitorEvent {
    std::uint16_t kind = 0;
    std::int32_t fd = 0;
};

std::optional<MonitorEvent> find_event(zmq::socket_t& events) {
    zmq::message_t message;
    if (!receive_now(events, message)) return std::nullopt;
    MonitorEvent event;
    if (message.size() == sizeof event.kind + sizeof event.fd) {
        std::memcpy(&event.kind, message.data(), sizeof event.kind);
        std::memcpy(&event.fd, static_cast<const std::byte*>(message.data()) + sizeof event.kind, sizeof event.fd);
    }
    zmq::message_t address;
    if (message.more()) receive_now(events, address);
    return event;
}

}  // namespace

struct Context::State {
    zmq::context_t context{1, 16};
};

Context::Context() : state_{std::make_unique<State>()} { make_sure_of_threads(); }
Context::~Context() = default;

/// Who is connected to a ROUTER, as libzmq tells it.
struct Channel::Door {
    zmq::socket_t events;
    std::size_t most = 0;
    std::set<int> peers;  ///< their descriptors
    bool open = true;
};

/// How a DEALER's connection ended, as libzmq tells it.
struct Channel::Connection {
    zmq::socket_t events;
    End end = End::none;
};

struct Channel::State {
    zmq::socket_t socket;
    bool routes = false;
    std::string path;
    std::unique_ptr<Door> door;
    std::unique_ptr<Connection> connection;
    bool may_hold = true;  ///< a message that has come

    /// The monitor ends before whoever reads it: libzmq's thread would wait for a reader for ever, and do nothing else.
    ~State() {
        if (door || connection) ::zmq_socket_monitor(socket.handle(), nullptr, 0);
    }
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
        return Channel{std::unique_ptr<State>{new State{std::move(socket), true, socket_path, nullptr, nullptr, true}}};
    } catch (const zmq::error_t& error) {
        rethrow(error, "bind", socket_path);
    }
}

Channel Channel::dealer(Context& context, const std::string& socket_path) {
    return connect(context, socket_path, false);
}

Channel Channel::watched_dealer(Context& context, const std::string& socket_path) {
    return connect(context, socket_path, true);
}

Channel Channel::connect(Context& context, const std::string& socket_path, bool watched) {
    constexpr int kEvents = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
    try {
        zmq::socket_t socket{context.state_->context, zmq::socket_type::dealer};
        set_common_options(socket);
        socket.set(zmq::sockopt::reconnect_ivl, kNoReconnect);
        auto state = std::unique_ptr<State>{new State{std::move(socket), false, socket_path, nullptr, nullptr, true}};
        if (watched)
            state->connection = std::make_unique<Connection>(
                Connection{monitor(context.state_->context, state->socket, kEvents), End::none});
        state->socket.connect("ipc://" + socket_path);
        return Channel{std::move(state)};
    } catch (const zmq::error_t& error) {
        rethrow(error, "connect", socket_path);
    }
}

void Channel::deliver_at_end(std::chrono::milliseconds most) {
    state_->socket.set(zmq::sockopt::linger, static_cast<int>(most.count()));
}

void Channel::limit_peers(Context& context, std::size_t most) {
    ::unlink((state_->path + ".full").c_str());  // left by one that was killed
    constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
    try {
        state_->door = std::make_unique<Door>(
            Door{monitor(context.state_->context, state_->socket, kEvents), most, {}, true});
    } catch (const zmq::error_t& error) {
        rethrow(error, "monitor", state_->path);
    }
}

int Channel::end_fd() const { return state_->connection->events.get(zmq::sockopt::fd); }

Channel::End Channel::end() {
    Connection& connection = *state_->connection;
    while (const auto event = find_event(connection.events))
        connection.end = event->kind == ZMQ_EVENT_CLOSED ? End::refused : End::disconnected;
    return connection.end;
}

int Channel::peers_fd() const { return state_->door->events.get(zmq::sockopt::fd); }

bool Channel::count_peers() {
    Door& door = *state_->door;
    bool any = false;
    while (const auto event = find_event(door.events)) {
        any = true;
        if (event->kind == ZMQ_EVENT_ACCEPTED)
            door.peers.insert(event->fd);
        else
            door.peers.erase(event->fd);
    }
    const bool open = door.peers.size() < door.most;
    if (open == door.open) return any;
    const std::string hidden = state_->path + ".full";
    const bool moved = open ? ::rename(hidden.c_str(), state_->path.c_str()) == 0
                            : ::rename(state_->path.c_str(), hidden.c_str()) == 0;
    if (moved) door.open = open;
    return any;
}

void Channel::on_wake() { state_->may_hold = true; }

std::optional<Frame> Channel::try_receive_if_woken() { return state_->may_hold ? try_receive() : std::nullopt; }

bool Channel::is_door_stuck() const {
    const Door& door = *state_->door;
    return (door.peers.size() < door.most) != door.open;
}

int Channel::fd() const { return state_->socket.get(zmq::sockopt::fd); }

std::optional<Frame> Channel::try_receive() {
    while (true) {
        Frame frame;
        std::size_t parts = 0;
        bool more = true;
        while (more) {
            zmq::message_t part;
            if (!receive_now(state_->socket, part)) {
                state_->may_hold = false;
                return std::nullopt;
            }
            more = part.more();
            const bool is_peer = state_->routes && parts == 0;
            (is_peer ? frame.peer : frame.bytes).assign(static_cast<const char*>(part.data()), part.size());
            ++parts;
        }
        if (parts == (state_->routes ? 2U : 1U)) return frame;
    }
}

bool Channel::send(std::string_view bytes, const std::string& peer) {
    state_->may_hold = true;  // libzmq looks for what has come while it sends
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
