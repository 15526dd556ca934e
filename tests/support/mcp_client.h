#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::test {

/// An agent: an MCP client on one connection that is kept, with what HTTP it needs and no more.
class McpClient {
  public:
    /// Connects to 127.0.0.1 and says initialize. `project` is an absolute path, or empty.
    explicit McpClient(std::uint16_t port, std::string project = {});

    /// A tool's structuredContent. Throws std::runtime_error with its complaint.
    nlohmann::json call(const std::string& tool, const nlohmann::json& arguments);
    /// The complaint of a tool that must refuse; throws if it does not.
    std::string refusal(const std::string& tool, const nlohmann::json& arguments);

    /// The bytes of a tool's call, head and all.
    [[nodiscard]] std::string call_of(const std::string& tool, const std::string& arguments) const;
    /// Sends a request and reads its whole answer: head and body. Throws if it is not a 2xx.
    std::string exchange(const std::string& request);

  private:
    [[nodiscard]] std::string post(const std::string& body) const;
    nlohmann::json result_of(const std::string& tool, const nlohmann::json& arguments);

    std::string host_;
    std::string target_;
    os::UniqueFd connection_;
    std::string session_;
};

}  // namespace pp::test
