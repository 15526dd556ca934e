#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "hub/mcp/http_message.h"
#include "hub/mcp/http_parser.h"
#include "protocol/os/unique_fd.h"

struct bufferevent;
struct event;
struct event_base;

namespace pp::hub::mcp {

struct HttpLimits {
    std::chrono::milliseconds head{10'000};   ///< from the first byte of a request to its last
    std::chrono::milliseconds body{60'000};
    std::chrono::milliseconds idle{600'000};  ///< between two requests
    std::chrono::milliseconds write{30'000};  ///< a client that takes nothing of its answer for so long is dropped
    std::size_t connections = 1000;
    /// A connection that gets a descriptor from here on is refused. The kernel gives the lowest free number, so this one
    /// says that descriptors run short; what is above is kept for shims, ZeroMQ and SQLite.
    int first_reserved = std::numeric_limits<int>::max();
};

/// One client: its requests one after the other, each answered before the next is looked at. Owned by the server; whoever
/// holds an HttpReply holds no connection.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
  public:
    struct Owner {
        std::function<void(HttpConnection*)> on_closed;
        std::function<void()> on_written;  ///< the kernel has taken all that was to be said
    };

    HttpConnection(event_base* base, os::UniqueFd socket, HttpPeer peer, HttpHandler& handler, const HttpLimits& limits,
                   Owner owner);
    ~HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    /// Begins to read. After the construction, when the server holds it.
    void start();
    /// Instead: says why there is no service, and closes when that has been read.
    void refuse(const HttpResponse& response) { respond(response, false); }
    /// Something of an answer is not out yet.
    [[nodiscard]] bool is_writing() const;

  private:
    class Reply;
    void on_read();
    void on_written();
    void on_event(short what);
    void on_timeout();
    void parse();
    void parse_what_is_there();
    bool on_head();
    void on_request();
    void respond(const HttpResponse& response, bool keep_alive);
    void set_timer(std::chrono::milliseconds after);
    void close();

    HttpHandler& handler_;
    const HttpLimits& limits_;
    HttpPeer peer_;
    Owner owner_;
    HttpParser parser_;
    bufferevent* buffer_ = nullptr;
    event* timer_ = nullptr;
    std::function<void()> on_gone_;
    bool waits_for_answer_ = false;
    bool parsing_ = false;  ///< an answer that comes at once lets the loop go on, not begin anew inside itself
    bool closing_ = false;   ///< nothing more is read; closes when the answer is out
    bool half_closed_ = false;
    bool closed_ = false;
};

}  // namespace pp::hub::mcp
