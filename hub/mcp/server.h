#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "hub/mcp/catalogue.h"
#include "hub/mcp/guard.h"
#include "hub/mcp/http_message.h"
#include "hub/mcp/json_rpc.h"
#include "hub/mcp/session.h"

namespace pp::hub::mcp {

/// MCP over Streamable HTTP, revisions 2024-11-05 to 2025-11-25: endpoints, each a path and a catalogue, behind one guard.
///
/// Transport (HttpServer), session (Sessions) and dispatch (here) are apart, so that another transport or era joins beside.
class Server : public HttpHandler {
  public:
    explicit Server(Guard::Rules rules) : guard_{std::move(rules)} {}

    /// Serves the catalogue at a path, e.g. "/mcp". It must outlive the server.
    void add_endpoint(const std::string& path, Catalogue& catalogue);
    /// The TCP port that Host headers must name.
    void set_port(int port) { guard_.set_port(port); }
    [[nodiscard]] std::size_t sessions() const;

    HttpResponse check(const HttpRequest& head, const HttpPeer& peer) override;
    void handle(const HttpRequest& request, std::shared_ptr<HttpReply> reply) override;

  private:
    struct Endpoint {
        Catalogue* catalogue = nullptr;
        Sessions sessions;
    };
    /// The messages of one POST, answered together.
    struct Batch;

    void post(Endpoint& endpoint, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);
    void initialize(Endpoint& endpoint, const RpcMessage& message, const std::shared_ptr<HttpReply>& reply);
    void serve(Endpoint& endpoint, const HttpRequest& request, Session& session, const RpcMessage& message,
               const std::shared_ptr<Batch>& batch);
    void notice(Session& session, const RpcMessage& message);
    nlohmann::json list_tools(Endpoint& endpoint, const HttpRequest& request) const;
    void call_tool(Endpoint& endpoint, const HttpRequest& request, Session& session, const RpcMessage& message,
                   const std::shared_ptr<Batch>& batch);
    void remove(Endpoint& endpoint, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply);

    Guard guard_;
    std::map<std::string, Endpoint> endpoints_;
};

}  // namespace pp::hub::mcp
