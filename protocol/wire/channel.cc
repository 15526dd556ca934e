#include "protocol/wire/channel.h"

#include <sys/stat.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#include <zmq.hpp>
#pragma GCC diagnostic pop

#include "protocol/os/error.h"
#include "protocol/wire/codec.h"

namespace pp::wire {
namespace {

constexpr int kHighWaterMark = 10000;  // messages per peer and direction
constexpr int kBacklog = 4096;         // a thousand shims come back at once; the default of 100 made that 0.8 s

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

struct Channel::State {
    zmq::socket_t socket;
    bool routes = false;
};

Channel::Channel(std::unique_ptr<State> state) : state_{std::move(state)} {}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;

Channel Channel::router(Context& context, const std::string& socket_path) {
    try {
        zmq::socket_t socket{context.state_->context, zmq::socket_type::router};
        set_common_options(socket);
        socket.set(zmq::sockopt::backlog, kBacklog);
        socket.set(zmq::sockopt::router_mandatory, true);
        socket.set(zmq::sockopt::router_handover, true);
        socket.bind("ipc://" + socket_path);
        if (::chmod(socket_path.c_str(), 0600) != 0) os::throw_errno("chmod", socket_path);
        return Channel{std::make_unique<State>(State{std::move(socket), true})};
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
        return Channel{std::make_unique<State>(State{std::move(socket), false})};
    } catch (const zmq::error_t& error) {
        rethrow(error, "connect", socket_path);
    }
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
