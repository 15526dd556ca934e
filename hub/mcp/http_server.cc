#include "hub/mcp/http_server.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "hub/mcp/guard.h"
#include "hub/mcp/peer_identity.h"
#include "protocol/os/error.h"
#include "protocol/os/unix_socket.h"

namespace pp::hub::mcp {
namespace {

constexpr int kBacklog = 512;
constexpr std::size_t kRefusals = 16;  // connections beyond the limit that are told so; more are closed without a word
constexpr timeval kResumeAfter{1, 0};  // where descriptors are short, and it is not we who hold them

}  // namespace

struct HttpServer::Listener {
    HttpServer* server = nullptr;
    bool is_unix = false;
    evconnlistener* listener = nullptr;

    ~Listener() {
        if (listener != nullptr) ::evconnlistener_free(listener);
    }
};

HttpServer::HttpServer(event_base* base, HttpHandler& handler, HttpLimits limits)
    : base_{base}, handler_{handler}, limits_{limits} {
    resume_timer_ = ::event_new(
        base, -1, 0, [](evutil_socket_t, short, void* self) { static_cast<HttpServer*>(self)->resume(); }, this);
    if (resume_timer_ == nullptr) throw std::bad_alloc();
}

HttpServer::~HttpServer() { ::event_free(resume_timer_); }

int HttpServer::listen_tcp(int port, int& error) {
    error = 0;
    os::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    socklen_t size = sizeof address;
    if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), kBacklog) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        error = errno;
        return 0;
    }
    listen(std::move(socket), false);
    return ntohs(address.sin_port);
}

void HttpServer::listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() > os::kMaxSocketPath) os::throw_error(ENAMETOOLONG, "socket path", path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    os::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket) os::throw_errno("socket");
    ::unlink(path.c_str());
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) os::throw_errno("bind", path);
    if (::chmod(path.c_str(), 0600) != 0) os::throw_errno("chmod", path);
    if (::listen(socket.get(), kBacklog) != 0) os::throw_errno("listen", path);
    listen(std::move(socket), true);
}

void HttpServer::listen(os::UniqueFd socket, bool is_unix) {
    auto listener = std::make_unique<Listener>();
    listener->server = this;
    listener->is_unix = is_unix;
    listener->listener = ::evconnlistener_new(
        base_,
        [](evconnlistener*, evutil_socket_t accepted, sockaddr*, int, void* self) {
            const auto* from = static_cast<Listener*>(self);
            from->server->accept(accepted, from->is_unix);
        },
        listener.get(), LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, socket.get());
    if (listener->listener == nullptr) throw std::bad_alloc();
    ::evconnlistener_set_error_cb(listener->listener, [](evconnlistener*, void* self) {
        static_cast<Listener*>(self)->server->pause();
    });
    [[maybe_unused]] const int taken_over = socket.release();
    listeners_.push_back(std::move(listener));
}

void HttpServer::accept(int accepted, bool is_unix) {
    os::UniqueFd socket{accepted};
    const bool is_full =
        connections_.size() - refused_.size() >= limits_.connections || accepted >= limits_.first_reserved;
    if (is_full && refused_.size() >= kRefusals) return;
    HttpPeer peer;
    peer.is_unix = is_unix;
    peer.is_own_uid = is_unix ? unix_peer_is_own_uid(accepted) : tcp_peer_is_own_uid(accepted);
    if (!is_unix) {
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    try {
        auto connection = std::make_shared<HttpConnection>(
            base_, std::move(socket), peer, handler_, limits_,
            HttpConnection::Owner{[this](HttpConnection* closed) { on_closed(closed); }, [this] { check_finished(); }});
        connections_.emplace(connection.get(), connection);
        if (!is_full) return connection->start();
        refused_.insert(connection.get());
        connection->refuse(http_error(503, "the hub has as many connections as it takes; close one, or try again later"));
    } catch (const std::bad_alloc&) {
        // this client is turned away; the others are served
    }
}

void HttpServer::on_closed(HttpConnection* connection) {
    refused_.erase(connection);
    connections_.erase(connection);
    if (paused_) ::event_active(resume_timer_, EV_TIMEOUT, 0);  // from the loop: its descriptor is not closed yet
    check_finished();
}

void HttpServer::finish(std::function<void()> then) {
    finishing_ = true;
    on_finished_ = std::move(then);
    for (const auto& listener : listeners_) ::evconnlistener_disable(listener->listener);
    check_finished();
}

void HttpServer::check_finished() {
    if (!on_finished_) return;
    const bool is_writing = std::any_of(connections_.begin(), connections_.end(),
                                        [](const auto& entry) { return entry.second->is_writing(); });
    if (!is_writing) std::exchange(on_finished_, nullptr)();
}

/// The clients that wait keep the listeners readable: without a pause the loop would do nothing but try again.
void HttpServer::pause() {
    ++pauses_;
    paused_ = true;
    for (const auto& listener : listeners_) ::evconnlistener_disable(listener->listener);
    ::event_add(resume_timer_, &kResumeAfter);
}

void HttpServer::resume() {
    paused_ = false;
    ::event_del(resume_timer_);
    if (finishing_) return;
    for (const auto& listener : listeners_) ::evconnlistener_enable(listener->listener);
}

}  // namespace pp::hub::mcp
