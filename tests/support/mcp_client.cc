#include "tests/support/mcp_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "protocol/os/error.h"

namespace pp::test {
namespace {

constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}})";
constexpr const char* kInitialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

os::UniqueFd connect_to(std::uint16_t port) {
    os::UniqueFd connection{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    if (!connection || ::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        os::throw_errno("connect", "port " + std::to_string(port));
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // as those it is compared with
    return connection;
}

void send_all(int connection, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t taken = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (taken <= 0) os::throw_errno("send");
        sent += static_cast<std::size_t>(taken);
    }
}

void receive(int connection, std::string& received) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0) throw std::runtime_error("the server has hung up");
    received.append(buffer.data(), static_cast<std::size_t>(got));
}

/// Value of a header of a head; empty if it has none.
std::string header(const std::string& head, const std::string& name) {
    for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
        const char* line = head.c_str() + at + 2;
        if (::strncasecmp(line, name.c_str(), name.size()) != 0 || line[name.size()] != ':') continue;
        const auto value = at + 2 + name.size() + 2;
        return head.substr(value, head.find("\r\n", value) - value);
    }
    return {};
}

}  // namespace

McpClient::McpClient(std::uint16_t port, std::string project)
    : host_{"127.0.0.1:" + std::to_string(port)},
      target_{project.empty() ? "/mcp" : "/mcp?project=" + std::move(project)},
      connection_{connect_to(port)} {
    session_ = header(exchange(post(kInitialize)), "Mcp-Session-Id");
    exchange(post(kInitialized));
}

std::string McpClient::post(const std::string& body) const {
    std::string head = "POST " + target_ + " HTTP/1.1\r\nHost: " + host_ +
                       "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
    if (!session_.empty()) head += "Mcp-Session-Id: " + session_ + "\r\nMCP-Protocol-Version: 2025-11-25\r\n";
    return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

nlohmann::json McpClient::result_of(const std::string& tool, const nlohmann::json& arguments) {
    const auto answer = exchange(call_of(tool, arguments.dump()));
    const auto body = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
    if (!body.contains("result")) throw std::runtime_error(tool + ": " + body.dump());
    return body["result"];
}

nlohmann::json McpClient::call(const std::string& tool, const nlohmann::json& arguments) {
    const auto result = result_of(tool, arguments);
    if (result.value("isError", false)) throw std::runtime_error(tool + ": " + result.dump());
    return result.at("structuredContent");
}

std::string McpClient::refusal(const std::string& tool, const nlohmann::json& arguments) {
    const auto result = result_of(tool, arguments);
    if (!result.value("isError", false)) throw std::runtime_error(tool + " should have refused: " + result.dump());
    return result.at("content").at(0).at("text");
}

std::string McpClient::call_of(const std::string& tool, const std::string& arguments) const {
    return post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + tool +
                R"(","arguments":)" + arguments + "}}");
}

std::string McpClient::exchange(const std::string& request) {
    send_all(connection_.get(), request);
    std::string answer;
    std::size_t end = std::string::npos;
    while ((end = answer.find("\r\n\r\n")) == std::string::npos) receive(connection_.get(), answer);
    const std::string head = answer.substr(0, end + 2);
    if (head.find(" 2") != head.find(' ')) throw std::runtime_error("HTTP: " + answer);
    const auto length = std::strtoull(header(head, "Content-Length").c_str(), nullptr, 10);
    while (answer.size() < end + 4 + length) receive(connection_.get(), answer);
    return answer;
}

}  // namespace pp::test
