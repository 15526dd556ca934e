#include "hub/mcp/json_rpc.h"

namespace pp::hub::mcp {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

}  // namespace

std::string rpc_result(const json& id, const json& result) { return rpc_result_text(id, to_text(result)); }

std::string rpc_result_text(const json& id, const std::string& result) {
    std::string response = R"({"jsonrpc":"2.0","id":)" + to_text(id) + R"(,"result":)";
    response.reserve(response.size() + result.size() + 1);
    response += result;
    return response += '}';
}

std::string rpc_error(const json& id, int code, const std::string& message) {
    return to_text({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

std::string to_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::optional<json> find_json(const std::string& text) {
    // counted before the parser's own recursion could meet it
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kMaxDepth) return std::nullopt;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    auto parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) return std::nullopt;
    return parsed;
}

RpcMessage sort_out(const json& message) {
    RpcMessage sorted;
    const auto invalid = [&](const char* problem) {
        sorted.problem = problem;
        return sorted;
    };
    if (!message.is_object()) return invalid("a message is a JSON object");
    if (message.value("jsonrpc", json{}) != "2.0") return invalid("\"jsonrpc\" must be \"2.0\"");
    const bool has_id = message.contains("id");
    if (has_id && !message["id"].is_string() && !message["id"].is_number_integer())
        return invalid("\"id\" must be a string or an integer");
    if (!message.contains("method")) {
        if (!has_id || (!message.contains("result") && !message.contains("error")))
            return invalid("a message has a \"method\", or \"id\" and \"result\"");
        sorted.kind = RpcMessage::Kind::response;
        return sorted;
    }
    if (!message["method"].is_string()) return invalid("\"method\" must be a string");
    sorted.method = message["method"];
    if (message.contains("params")) {
        if (!message["params"].is_object()) return invalid("\"params\" must be an object");
        sorted.params = message["params"];
    }
    if (has_id) sorted.id = message["id"];
    sorted.kind = has_id ? RpcMessage::Kind::request : RpcMessage::Kind::notification;
    return sorted;
}

}  // namespace pp::hub::mcp
