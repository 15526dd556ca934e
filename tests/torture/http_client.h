#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/mcp_client.h"
#include "tests/torture/client.h"

namespace pp::torture {

/// An agent on the hub's MCP port; connects again when the hub was killed, and starts one where there is none. For one thread.
class HttpClient {
  public:
    HttpClient(Watchdog& dog, const test::Installation& installation);

    Said ask(const std::string& tool, const nlohmann::json& arguments);

  private:
    void connect();

    Watchdog& dog_;
    cli::Context context_;
    std::unique_ptr<test::McpClient> connection_;
};

}  // namespace pp::torture
