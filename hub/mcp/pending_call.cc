#include <utility>

#include "hub/mcp/catalogue.h"
#include "hub/mcp/json_rpc.h"

namespace pp::hub::mcp {

using nlohmann::json;

PendingCall::~PendingCall() { fail(kInternalError, "the call was dropped without an answer"); }

void PendingCall::reply(const ToolResult& result) {
    std::string body = R"({"content":[{"type":"text","text":)" + to_text(json(result.text)) + R"(}],"isError":)";
    body += result.is_error ? "true" : "false";
    if (!result.structured.empty()) body += R"(,"structuredContent":)" + result.structured;
    end(rpc_result_text(id_, body + "}"));
}

void PendingCall::fail(int code, const std::string& message) { end(rpc_error(id_, code, message)); }

void PendingCall::on_cancel(std::function<void()> callback) { on_cancel_ = std::move(callback); }

/// The request that it came with must still end: with an error, for whoever may be listening.
void PendingCall::cancel() {
    if (ended()) return;
    const auto callback = std::exchange(on_cancel_, nullptr);
    end(rpc_error(id_, kInternalError, "the call was cancelled"));
    if (callback) callback();
}

void PendingCall::end(std::string response) {
    if (ended()) return;
    on_cancel_ = nullptr;
    std::exchange(on_end_, nullptr)(std::move(response));
}

}  // namespace pp::hub::mcp
