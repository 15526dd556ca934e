#pragma once

#include <string>

#include "hub/mcp/http_message.h"

namespace pp::hub::mcp {

/// Who may: decided from the head of a request and what the kernel says of the peer, before a body is read. Pure.
class Guard {
  public:
    struct Rules {
        std::string token;         ///< Bearer token; empty: none would do
        bool needs_token = false;  ///< on TCP being of our uid is not enough
        int port = 0;              ///< of the TCP listener: what a Host header must name
    };

    explicit Guard(Rules rules) : rules_{std::move(rules)} {}
    void set_port(int port) { rules_.port = port; }

    /// Status 0: may pass. Else the answer.
    [[nodiscard]] HttpResponse check(const HttpRequest& head, const HttpPeer& peer) const;

  private:
    [[nodiscard]] bool names_us(const std::string& host) const;
    [[nodiscard]] bool has_token(const HttpRequest& head) const;

    Rules rules_;
};

/// An error that a person can read, as JSON-RPC clients expect it.
HttpResponse http_error(int status, const std::string& message);

/// Compares without telling by time where they differ.
bool equal_in_constant_time(const std::string& a, const std::string& b);

}  // namespace pp::hub::mcp
