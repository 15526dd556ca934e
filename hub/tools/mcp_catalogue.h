#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hub/mcp/catalogue.h"
#include "hub/operations/context.h"

namespace pp::hub {

/// The skin for agents: the table of tools as an MCP catalogue. Unknown to it: HTTP, sessions, JSON-RPC.
class McpCatalogue : public mcp::Catalogue {
  public:
    /// `defaults`: what a process gets that no caller's shell gave limits to.
    McpCatalogue(Context& context, Caller defaults);

    [[nodiscard]] std::string name() const override { return "pp"; }
    [[nodiscard]] std::string version() const override { return PP_VERSION; }
    [[nodiscard]] std::string instructions() const override;
    [[nodiscard]] const std::vector<mcp::Tool>& tools() const override { return tools_; }
    void call(const mcp::Caller& caller, const mcp::Tool& tool, const nlohmann::json& arguments,
              std::shared_ptr<mcp::PendingCall> call) override;

  private:
    Context& context_;
    Caller defaults_;
    std::vector<mcp::Tool> tools_;
};

}  // namespace pp::hub
