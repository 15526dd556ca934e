#include "hub/mcp/http_connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <exception>
#include <new>
#include <utility>

#include "hub/mcp/guard.h"

namespace pp::hub::mcp {
namespace {

constexpr std::size_t kMaxUnparsed = 128u << 10;  // bytes that may pile up behind a request that is being answered
constexpr std::chrono::milliseconds kLinger{2'000};  // for a refused client to read its answer

const char* reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 431: return "Request Header Fields Too Large";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return status < 500 ? "Refused" : "Internal Server Error";
    }
}

std::string serialized(const HttpResponse& response, bool keep_alive) {
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + reason(response.status) + "\r\n";
    if (!response.body.empty()) text += "Content-Type: " + response.content_type + "\r\n";
    if (response.status != 204) text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
    text += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    text.reserve(text.size() + response.body.size());
    return text += response.body;
}

/// What the kernel takes at once needs no turn of the loop. How much that is.
std::size_t send_now(int fd, const std::string& text) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

timeval interval(std::chrono::milliseconds duration) {
    return {duration.count() / 1000, duration.count() % 1000 * 1000};
}

}  // namespace

class HttpConnection::Reply : public HttpReply {
  public:
    Reply(std::weak_ptr<HttpConnection> connection, bool keep_alive)
        : connection_{std::move(connection)}, keep_alive_{keep_alive} {}

    void send(const HttpResponse& response) override {
        const auto connection = std::exchange(connection_, {}).lock();
        if (!connection || connection->closed_) return;
        connection->on_gone_ = nullptr;
        connection->waits_for_answer_ = false;
        connection->respond(response, keep_alive_);
        if (!connection->closing_ && !connection->parsing_) connection->parse();  // what was pipelined behind it
    }
    void on_gone(std::function<void()> callback) override {
        if (const auto connection = connection_.lock()) connection->on_gone_ = std::move(callback);
    }

  private:
    std::weak_ptr<HttpConnection> connection_;
    bool keep_alive_;
};

HttpConnection::HttpConnection(event_base* base, os::UniqueFd socket, HttpPeer peer, HttpHandler& handler,
                               const HttpLimits& limits, Owner owner)
    : handler_{handler}, limits_{limits}, peer_{peer}, owner_{std::move(owner)} {
    buffer_ = ::bufferevent_socket_new(base, socket.get(), BEV_OPT_CLOSE_ON_FREE);
    if (buffer_ == nullptr) throw std::bad_alloc();
    [[maybe_unused]] const int taken_over = socket.release();
    ::bufferevent_setcb(
        buffer_, [](bufferevent*, void* self) { static_cast<HttpConnection*>(self)->on_read(); },
        [](bufferevent*, void* self) { static_cast<HttpConnection*>(self)->on_written(); },
        [](bufferevent*, short what, void* self) { static_cast<HttpConnection*>(self)->on_event(what); }, this);
    ::bufferevent_setwatermark(buffer_, EV_READ, 0, kMaxUnparsed);
    const timeval write_limit = interval(limits.write);
    ::bufferevent_set_timeouts(buffer_, nullptr, &write_limit);
    ::bufferevent_enable(buffer_, EV_READ | EV_WRITE);
    timer_ = ::event_new(base, -1, 0, [](evutil_socket_t, short, void* self) {
        static_cast<HttpConnection*>(self)->on_timeout();
    }, this);
}

HttpConnection::~HttpConnection() {
    if (timer_ != nullptr) ::event_free(timer_);
    if (buffer_ != nullptr) ::bufferevent_free(buffer_);
}

void HttpConnection::start() {
    set_timer(limits_.head);  // a client that connects has something to say
}

void HttpConnection::set_timer(std::chrono::milliseconds after) {
    const timeval time = interval(after);
    ::event_add(timer_, &time);
}

void HttpConnection::on_timeout() {
    const auto keep = shared_from_this();
    if (closing_ || !parser_.in_request()) return close();
    respond(http_error(408, "the request took too long to arrive"), false);
}

void HttpConnection::on_read() {
    const auto keep = shared_from_this();
    if (closing_) {
        ::evbuffer* input = ::bufferevent_get_input(buffer_);
        ::evbuffer_drain(input, ::evbuffer_get_length(input));
        return;
    }
    if (!waits_for_answer_) parse();
}

/// Uses up what has come, until a request is whole and waits for its answer.
void HttpConnection::parse() {
    parsing_ = true;
    parse_what_is_there();
    parsing_ = false;
}

void HttpConnection::parse_what_is_there() {
    ::evbuffer* input = ::bufferevent_get_input(buffer_);
    while (!closed_ && !closing_ && !waits_for_answer_) {
        const std::size_t size = ::evbuffer_get_length(input);
        if (size == 0) break;
        const bool was_in_request = parser_.in_request();
        const auto* bytes = reinterpret_cast<const char*>(::evbuffer_pullup(input, static_cast<ssize_t>(size)));
        std::size_t used = 0;
        const auto stop = parser_.feed({bytes, size}, used);
        ::evbuffer_drain(input, used);
        if (!was_in_request && parser_.in_request()) set_timer(limits_.head);
        switch (stop) {
            case HttpParser::Stop::need_more: break;
            case HttpParser::Stop::head:
                if (!on_head()) return;
                // an empty body: llhttp says so at its next call, which may need no byte
                if (::evbuffer_get_length(input) == 0) {
                    std::size_t none = 0;
                    if (parser_.feed({}, none) == HttpParser::Stop::request) on_request();
                }
                break;
            case HttpParser::Stop::request: on_request(); break;
            case HttpParser::Stop::bad: return respond(http_error(parser_.status(), parser_.problem()), false);
        }
    }
}

bool HttpConnection::on_head() {
    const auto refusal = handler_.check(parser_.request(), peer_);
    if (refusal.status != 0) {
        respond(refusal, false);
        return false;
    }
    set_timer(limits_.body);
    if (parser_.expects_continue()) {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        ::bufferevent_write(buffer_, kContinue.data(), kContinue.size());
    }
    return true;
}

void HttpConnection::on_request() {
    ::event_del(timer_);
    waits_for_answer_ = true;
    const bool keep_alive = parser_.keeps_alive();
    const auto request = parser_.take_request();
    parser_.next();
    auto reply = std::make_shared<Reply>(weak_from_this(), keep_alive);
    try {
        handler_.handle(request, reply);
    } catch (const std::exception& error) {
        reply->send(http_error(500, error.what()));
    }
}

void HttpConnection::respond(const HttpResponse& response, bool keep_alive) {
    if (closed_) return;
    const auto text = serialized(response, keep_alive);
    const bool may_go_at_once = keep_alive && !is_writing();  // the end of a closing one waits for on_written()
    const auto sent = may_go_at_once ? send_now(::bufferevent_getfd(buffer_), text) : 0;
    if (sent < text.size()) ::bufferevent_write(buffer_, text.data() + sent, text.size() - sent);
    closing_ = !keep_alive;
    set_timer(keep_alive ? limits_.idle : limits_.write);
}

/// All is out. Of a closing connection the sending half is closed first: with unread input a close would reset it, and the
/// client would lose the answer.
void HttpConnection::on_written() {
    const auto keep = shared_from_this();
    if (closing_ && !half_closed_) {
        half_closed_ = true;
        ::shutdown(::bufferevent_getfd(buffer_), SHUT_WR);
        set_timer(kLinger);
    }
    owner_.on_written();
}

bool HttpConnection::is_writing() const {
    return !closed_ && ::evbuffer_get_length(::bufferevent_get_output(buffer_)) > 0;
}

void HttpConnection::on_event(short what) {
    const auto keep = shared_from_this();
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0) close();
}

void HttpConnection::close() {
    if (std::exchange(closed_, true)) return;
    ::event_del(timer_);
    ::bufferevent_disable(buffer_, EV_READ | EV_WRITE);
    if (const auto on_gone = std::exchange(on_gone_, nullptr)) on_gone();
    owner_.on_closed(this);  // gives up the server's hold on us
}

}  // namespace pp::hub::mcp
