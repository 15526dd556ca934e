#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace pp::hub::mcp {

// JSON-RPC 2.0 as MCP uses it: ids are strings or integers, never null.

enum RpcError : int {
    kParseError = -32700,
    kInvalidRequest = -32600,
    kMethodNotFound = -32601,
    kInvalidParams = -32602,
    kInternalError = -32603,
};

// Responses, as JSON.
std::string rpc_result(const nlohmann::json& id, const nlohmann::json& result);
/// Of a result that is JSON already.
std::string rpc_result_text(const nlohmann::json& id, const std::string& result);
std::string rpc_error(const nlohmann::json& id, int code, const std::string& message);

/// Any text becomes UTF-8: what is not is replaced, so that this never throws.
std::string to_text(const nlohmann::json& value);

/// Nothing if it is not JSON, or nested deeper than 64.
std::optional<nlohmann::json> find_json(const std::string& text);

/// A message of a client, sorted out.
struct RpcMessage {
    enum class Kind { request, notification, response, invalid };
    Kind kind = Kind::invalid;
    nlohmann::json id;  ///< null unless a request
    std::string method;
    nlohmann::json params = nlohmann::json::object();
    std::string problem;  ///< of an invalid one
};
RpcMessage sort_out(const nlohmann::json& message);

}  // namespace pp::hub::mcp
