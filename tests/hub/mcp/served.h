#pragma once

#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "hub/mcp/catalogue.h"
#include "hub/mcp/http_server.h"
#include "hub/mcp/server.h"
#include "protocol/os/unique_fd.h"

namespace pp::test {

/// A catalogue with one tool that answers at once and one that waits until it is cancelled.
class TinyCatalogue : public hub::mcp::Catalogue {
  public:
    TinyCatalogue() {
        for (const char* name : {"echo", "wait", "broken"}) {
            hub::mcp::Tool tool;
            tool.name = name;
            tool.input_schema = {{"type", "object"}};
            tool.core = tool.name != "broken";
            tools_.push_back(tool);
        }
    }
    [[nodiscard]] std::string name() const override { return "tiny"; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] std::string instructions() const override { return "call echo"; }
    [[nodiscard]] const std::vector<hub::mcp::Tool>& tools() const override { return tools_; }
    void call(const hub::mcp::Caller& caller, const hub::mcp::Tool& tool, const nlohmann::json& arguments,
              std::shared_ptr<hub::mcp::PendingCall> call) override {
        if (tool.name == "echo")
            return call->reply({nlohmann::json{{"client", caller.client_name}, {"project", caller.project}, {"said", arguments}}.dump(),
                                "said \xff\xfe", false});
        if (tool.name == "broken") return;
        call->on_cancel([this] { ++cancelled; });
        waiting.push_back(std::move(call));
    }

    int cancelled = 0;
    std::vector<std::shared_ptr<hub::mcp::PendingCall>> waiting;

  private:
    std::vector<hub::mcp::Tool> tools_;
};

/// A server on a free port, whose loop the test turns itself.
class Served {
  public:
    explicit Served(hub::mcp::Guard::Rules rules = {}, hub::mcp::HttpLimits limits = {})
        : base_{::event_base_new()}, server_{std::move(rules)}, http_{base_, server_, limits} {
        server_.add_endpoint("/mcp", catalogue);
        int error = 0;
        port_ = http_.listen_tcp(0, error);
        server_.set_port(port_);
    }
    ~Served() {
        catalogue.waiting.clear();

    }

    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] hub::mcp::HttpServer& http() { return http_; }
    void turn() { ::event_base_loop(base_, EVLOOP_ONCE); }

    os::UniqueFd connect() const {
        os::UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
        return fd;
    }

    /// Sends, then turns the loop until `answers` whole answers are there or the server has closed.
    std::string talk(const os::UniqueFd& fd, const std::string& bytes, std::size_t answers = 1) {
        if (!bytes.empty() && ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) return {};
        std::string text;
        while (whole_answers(text) < answers) {
            char buffer[65536];
            const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (got == 0) break;
            if (got > 0) {
                text.append(buffer, static_cast<std::size_t>(got));
                continue;
            }
            if (errno != EAGAIN) break;
            turn();
        }
        return text;
    }

    [[nodiscard]] std::string post(const std::string& body, const std::string& more_headers = {},
                                   const std::string& target = "/mcp") const {
        return "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
               "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" + more_headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    /// Opens a session and gives its header line.
    std::string initialize(const std::string& protocol = "2025-11-25", const std::string& client = "tester") {
        const auto fd = connect();
        const auto answer = talk(
            fd, post(nlohmann::json{{"jsonrpc", "2.0"},
                                    {"id", 0},
                                    {"method", "initialize"},
                                    {"params",
                                     {{"protocolVersion", protocol}, {"clientInfo", {{"name", client}, {"version", "1"}}}}}}
                         .dump()));
        const auto at = answer.find("Mcp-Session-Id: ");
        return answer.substr(at, answer.find("\r\n", at) + 2 - at);
    }

    static std::size_t whole_answers(const std::string& text) {
        std::size_t count = 0;
        std::size_t at = 0;
        while (true) {
            const auto head_end = text.find("\r\n\r\n", at);
            if (head_end == std::string::npos) return count;
            const auto length_at = text.find("Content-Length: ", at);
            std::size_t length = 0;
            if (length_at != std::string::npos && length_at < head_end) length = std::stoul(text.substr(length_at + 16, 20));
            if (text.size() < head_end + 4 + length) return count;
            at = head_end + 4 + length;
            ++count;
        }
    }
    static int status(const std::string& answer) { return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0; }
    static nlohmann::json body(const std::string& answer) {
        return nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
    }

    TinyCatalogue catalogue;

  private:
    struct FreeBase {
        event_base* base;
        ~FreeBase() { ::event_base_free(base); }
    };
    event_base* base_;
    FreeBase free_base_{base_};
    hub::mcp::Server server_;
    hub::mcp::HttpServer http_;
    int port_ = 0;

};

}  // namespace pp::test
