#include "tests/torture/http_client.h"

#include <stdexcept>

namespace pp::torture {
namespace {

using nlohmann::json;

/// What a tool's call came to, out of the whole HTTP answer.
Said said_in(const std::string& answer) {
    const auto reply = json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
    if (reply.contains("error")) return {false, false, {}, reply["error"]["message"].get<std::string>()};
    const auto& result = reply.at("result");
    Said said;
    said.ok = !result.value("isError", false);
    said.result = result.value("structuredContent", json{});
    for (const auto& content : result.at("content")) said.text += content.value("text", "");
    return said;
}

}  // namespace

HttpClient::HttpClient(Watchdog& dog, const test::Installation& installation)
    : dog_{dog}, context_{installation.home(), installation.environment(), installation.work()} {}

void HttpClient::connect() {
    if (connection_) return;
    cli::find_or_start_hub(context_);
    const auto epoch = rundir::find_hub_epoch(context_.home);
    if (!epoch || epoch->port == 0) throw std::runtime_error("no hub has a port");
    connection_ = std::make_unique<test::McpClient>(static_cast<std::uint16_t>(epoch->port));
}

Said HttpClient::ask(const std::string& tool, const json& arguments) {
    const Watchdog::Wait wait{dog_, "the hub's answer over HTTP to " + tool + " " + arguments.dump()};
    try {
        connect();
        return said_in(connection_->exchange(connection_->call_of(tool, arguments.dump())));
    } catch (const std::runtime_error& error) {  // the hub was killed, or has refused by HTTP
        connection_.reset();
        const std::string text = error.what();
        return {false, !text.starts_with("HTTP"), {}, text};
    }
}

}  // namespace pp::torture
