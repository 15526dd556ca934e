#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/os/unique_fd.h"

namespace pp::bench {

/// An MCP client on one connection that is kept, with what a benchmark needs of HTTP and no more.
class McpClient {
  public:
    /// Connects and says initialize.
    explicit McpClient(std::uint16_t port);

    /// The bytes of a tool's call, head and all.
    [[nodiscard]] std::string call_of(const std::string& tool, const std::string& arguments) const;
    /// Sends a request and reads its whole answer: head and body. Throws if it is not a 2xx.
    std::string exchange(const std::string& request);

  private:
    [[nodiscard]] std::string post(const std::string& body) const;

    std::uint16_t port_;
    os::UniqueFd connection_;
    std::string session_;
};

/// Sends all, then reads so many bytes.
void exchange(int connection, const std::string& request, std::size_t reply);

}  // namespace pp::bench
