#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "hub/mcp/http_connection.h"
#include "hub/mcp/http_message.h"
#include "protocol/os/unique_fd.h"

struct event;
struct event_base;
struct evconnlistener;

namespace pp::hub::mcp {

/// HTTP/1.1 on loopback TCP and a unix socket, by the same code, in the caller's libevent loop and thread.
class HttpServer {
  public:
    HttpServer(event_base* base, HttpHandler& handler, HttpLimits limits = {});
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Listens on 127.0.0.1; port 0 takes a free one. Gives the port, or the errno in `error` and 0: a taken port is an
    /// ordinary outcome.
    int listen_tcp(int port, int& error);
    /// Listens on a unix socket, mode 0600, replacing one that is there: the caller holds the lock that says nobody lives
    /// behind it. Throws std::system_error.
    void listen_unix(const std::string& path);
    /// Takes no more clients, and calls back once the kernel has taken all answers that were given: from the loop, or at
    /// once.
    void finish(std::function<void()> then);
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    /// Times that the kernel gave no descriptor for a client: the listeners then pause.
    [[nodiscard]] std::size_t pauses() const { return pauses_; }

  private:
    void accept(int socket, bool is_unix);
    void listen(os::UniqueFd socket, bool is_unix);
    void on_closed(HttpConnection* connection);
    void check_finished();
    void pause();
    void resume();

    struct Listener;
    event_base* base_;
    HttpHandler& handler_;
    HttpLimits limits_;
    std::map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
    std::set<HttpConnection*> refused_;  ///< of the connections
    std::vector<std::unique_ptr<Listener>> listeners_;
    event* resume_timer_;
    bool paused_ = false;
    bool finishing_ = false;
    std::function<void()> on_finished_;
    std::size_t pauses_ = 0;
};

}  // namespace pp::hub::mcp
