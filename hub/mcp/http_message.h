#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pp::hub::mcp {

struct HttpRequest {
    std::string method;
    std::string target;  ///< as sent: path and query
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, values trimmed
    std::string body;

    /// Value of a header; empty if it is not there.
    [[nodiscard]] std::string header(const std::string& lower_name) const;
    [[nodiscard]] bool has(const std::string& lower_name) const;
    [[nodiscard]] std::size_t count(const std::string& lower_name) const;
    [[nodiscard]] std::string path() const;
    /// Percent-decoded value of a query parameter; empty if it is not there.
    [[nodiscard]] std::string query(const std::string& name) const;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// What is known of the other end of a connection, from accept on.
struct HttpPeer {
    bool is_unix = false;
    bool is_own_uid = false;  ///< the kernel says that the client is of our uid
};

/// The answer to one request, now or later, once. The connection may be gone by then: nothing happens.
class HttpReply {
  public:
    virtual ~HttpReply() = default;
    virtual void send(const HttpResponse& response) = 0;
    /// Called when the client has gone away before the answer.
    virtual void on_gone(std::function<void()> callback) = 0;
};

/// What a server does with requests.
class HttpHandler {
  public:
    virtual ~HttpHandler() = default;
    /// Before the body is read: status 0 lets the request through; any other is the answer, and the connection closes.
    virtual HttpResponse check(const HttpRequest& head, const HttpPeer& peer) = 0;
    virtual void handle(const HttpRequest& request, std::shared_ptr<HttpReply> reply) = 0;
};

}  // namespace pp::hub::mcp
