#include "hub/mcp/server.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pp::hub::mcp {
namespace {

using nlohmann::json;

constexpr const char* kNewest = "2025-11-25";
constexpr std::array kSpoken = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
constexpr const char* kBatched = "2025-03-26";  // the one revision that has batches, and what an absent header means
constexpr std::size_t kMaxBatch = 64;
constexpr std::size_t kMaxName = 200;  // of a client, as it calls itself

bool is_spoken(const std::string& version) {
    return std::find(kSpoken.begin(), kSpoken.end(), version) != kSpoken.end();
}

HttpResponse json_response(int status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

HttpResponse empty_response(int status) {
    HttpResponse response;
    response.status = status;
    return response;
}

bool accepts(const HttpRequest& request, const std::string& type) {
    const auto accept = request.header("accept");
    const auto group = type.substr(0, type.find('/')) + "/*";
    return accept.find(type) != std::string::npos || accept.find("*/*") != std::string::npos ||
           accept.find(group) != std::string::npos;
}

/// Text of a member, bounded; empty if it is not text.
std::string text_member(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return {};
    return found->get<std::string>().substr(0, kMaxName);
}

}  // namespace

/// Counts the answers that are still to come; the last one sends them all.
struct Server::Batch {
    std::shared_ptr<HttpReply> reply;
    std::string answers;  ///< JSON, separated by commas
    bool is_array = false;
    std::size_t waiting = 1;  ///< one for the sender itself, so that an early answer does not end it
    std::vector<std::weak_ptr<PendingCall>> calls;

    void add(const std::string& answer) { answers += (answers.empty() ? "" : ",") + answer; }
    void done() {
        if (--waiting > 0) return;
        if (answers.empty()) return reply->send(empty_response(202));
        reply->send(json_response(200, is_array ? "[" + answers + "]" : std::move(answers)));
    }
};

void Server::add_endpoint(const std::string& path, Catalogue& catalogue) { endpoints_[path].catalogue = &catalogue; }

std::size_t Server::sessions() const {
    std::size_t count = 0;
    for (const auto& [path, endpoint] : endpoints_) count += endpoint.sessions.size();
    return count;
}

HttpResponse Server::check(const HttpRequest& head, const HttpPeer& peer) {
    auto refusal = guard_.check(head, peer);
    if (refusal.status != 0) return refusal;
    if (!endpoints_.contains(head.path())) return http_error(404, "MCP is served at /mcp");
    if (head.method == "GET") {
        refusal = http_error(405, "this server sends nothing on its own yet: no GET stream");
        refusal.headers.emplace_back("Allow", "POST, DELETE");
    } else if (head.method == "POST" && (!accepts(head, "application/json") || !accepts(head, "text/event-stream"))) {
        refusal = http_error(406, "Accept must name application/json and text/event-stream");
    } else if (head.has("mcp-protocol-version") && !is_spoken(head.header("mcp-protocol-version"))) {
        refusal = http_error(400, "MCP-Protocol-Version is not one of 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05");
    }
    return refusal;
}

void Server::handle(const HttpRequest& request, std::shared_ptr<HttpReply> reply) {
    Endpoint& endpoint = endpoints_.at(request.path());
    if (request.method == "DELETE") return remove(endpoint, request, reply);
    post(endpoint, request, reply);
}

void Server::remove(Endpoint& endpoint, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    const auto id = request.header("mcp-session-id");
    if (id.empty()) return reply->send(http_error(400, "which session? Mcp-Session-Id is missing"));
    if (!endpoint.sessions.close(id)) return reply->send(http_error(404, "no such session"));
    reply->send(empty_response(204));
}

void Server::post(Endpoint& endpoint, const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    const auto body = find_json(request.body);
    if (!body) return reply->send(json_response(400, rpc_error(nullptr, kParseError, "the body is not JSON")));

    const bool is_array = body->is_array();
    std::vector<RpcMessage> messages;
    if (is_array) {
        if (body->empty() || body->size() > kMaxBatch)
            return reply->send(http_error(400, "a batch has 1 to 64 messages"));
        for (const auto& element : *body) messages.push_back(sort_out(element));
    } else {
        messages.push_back(sort_out(*body));
    }
    for (const auto& message : messages) {
        if (message.kind == RpcMessage::Kind::invalid) return reply->send(http_error(400, message.problem));
    }
    if (!is_array && messages[0].kind == RpcMessage::Kind::request && messages[0].method == "initialize")
        return initialize(endpoint, messages[0], reply);

    const auto id = request.header("mcp-session-id");
    if (id.empty())
        return reply->send(http_error(400, "Mcp-Session-Id is missing: POST an initialize request first; its answer has it"));
    Session* session = endpoint.sessions.find(id);
    if (session == nullptr)
        return reply->send(http_error(404, "no such session (any more): initialize again"));
    if (is_array && session->protocol != kBatched)
        return reply->send(http_error(400, "batches belong to revision 2025-03-26 alone"));

    const auto batch = std::make_shared<Batch>();
    batch->reply = reply;
    batch->is_array = is_array;
    reply->on_gone([batch] {
        for (const auto& call : std::exchange(batch->calls, {})) {
            if (const auto pending = call.lock()) pending->cancel();
        }
    });
    for (const auto& message : messages) serve(endpoint, request, *session, message, batch);
    batch->done();
}

void Server::initialize(Endpoint& endpoint, const RpcMessage& message, const std::shared_ptr<HttpReply>& reply) {
    const auto wanted = text_member(message.params, "protocolVersion");
    if (wanted.empty())
        return reply->send(json_response(200, rpc_error(message.id, kInvalidParams, "protocolVersion is missing")));
    const json client = message.params.value("clientInfo", json::object());
    const Session& session =
        endpoint.sessions.open(is_spoken(wanted) ? wanted : kNewest, client.is_object() ? text_member(client, "name") : "",
                               client.is_object() ? text_member(client, "version") : "");
    const Catalogue& catalogue = *endpoint.catalogue;
    auto response = json_response(
        200, rpc_result(message.id, json{{"protocolVersion", session.protocol},
                                         {"capabilities", {{"tools", {{"listChanged", false}}}}},
                                         {"serverInfo", {{"name", catalogue.name()}, {"version", catalogue.version()}}},
                                         {"instructions", catalogue.instructions()}}));
    response.headers.emplace_back("Mcp-Session-Id", session.id);
    reply->send(response);
}

void Server::serve(Endpoint& endpoint, const HttpRequest& request, Session& session, const RpcMessage& message,
                   const std::shared_ptr<Batch>& batch) {
    if (message.kind == RpcMessage::Kind::notification) return notice(session, message);
    if (message.kind == RpcMessage::Kind::response) return;  // we ask nothing of clients
    if (message.method == "tools/call") return call_tool(endpoint, request, session, message, batch);
    if (message.method == "ping") return batch->add(rpc_result(message.id, json::object()));
    if (message.method == "tools/list") return batch->add(rpc_result(message.id, list_tools(endpoint, request)));
    if (message.method == "initialize")
        return batch->add(rpc_error(message.id, kInvalidRequest, "initialize stands alone, and begins a session"));
    batch->add(rpc_error(message.id, kMethodNotFound, "no such method: " + message.method.substr(0, kMaxName)));
}

void Server::notice(Session& session, const RpcMessage& message) {
    if (message.method != "notifications/cancelled" || !message.params.contains("requestId")) return;
    const auto found = session.calls.find(to_text(message.params["requestId"]));
    if (found == session.calls.end()) return;
    const auto call = found->second.lock();
    session.calls.erase(found);
    if (call) call->cancel();
}

json Server::list_tools(Endpoint& endpoint, const HttpRequest& request) const {
    const bool all = request.query("tools") == "all";
    json list = json::array();
    for (const Tool& tool : endpoint.catalogue->tools()) {
        if (!all && !tool.core) continue;
        json entry{{"name", tool.name},
                   {"title", tool.title},
                   {"description", tool.description},
                   {"inputSchema", tool.input_schema},
                   {"annotations", tool.annotations}};
        if (tool.output_schema.is_object()) entry["outputSchema"] = tool.output_schema;
        list.push_back(std::move(entry));
    }
    return {{"tools", std::move(list)}};
}

void Server::call_tool(Endpoint& endpoint, const HttpRequest& request, Session& session, const RpcMessage& message,
                       const std::shared_ptr<Batch>& batch) {
    const auto name = text_member(message.params, "name");
    const auto& tools = endpoint.catalogue->tools();
    const auto tool = std::find_if(tools.begin(), tools.end(), [&](const Tool& known) { return known.name == name; });
    if (tool == tools.end()) return batch->add(rpc_error(message.id, kInvalidParams, "unknown tool: " + name));
    const json arguments = message.params.value("arguments", json::object());
    if (!arguments.is_object())
        return batch->add(rpc_error(message.id, kInvalidParams, "\"arguments\" must be an object"));

    Caller caller;
    caller.client_name = session.client_name;
    caller.client_version = session.client_version;
    caller.session = session.id;
    caller.project = request.query("project");
    if (!caller.project.empty() && caller.project.front() != '/')
        return batch->add(rpc_error(message.id, kInvalidParams, "?project= must be an absolute path"));

    const auto key = to_text(message.id);
    ++batch->waiting;
    auto call = std::make_shared<PendingCall>(message.id, [batch](const std::string& answer) {
        batch->add(answer);
        batch->done();
    });
    std::erase_if(session.calls, [](const auto& entry) { return entry.second.expired(); });
    session.calls[key] = call;
    batch->calls.emplace_back(call);
    endpoint.catalogue->call(caller, *tool, arguments, std::move(call));
}

}  // namespace pp::hub::mcp
