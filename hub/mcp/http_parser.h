#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hub/mcp/http_message.h"

namespace pp::hub::mcp {

/// Requests out of bytes: llhttp in strict mode, and the checks that it leaves to us. The only file that includes llhttp.
///
/// Stops behind each head, so that who may is decided before the body is read, and behind each request, so that pipelined
/// ones are answered in their order.
class HttpParser {
  public:
    static constexpr std::size_t kMaxHead = 16u << 10;
    static constexpr std::size_t kMaxBody = 4u << 20;

    enum class Stop {
        need_more,  ///< all bytes are used up
        head,       ///< the head is whole: request() has it; accept_body() goes on
        request,    ///< the request is whole; next() goes on
        bad,        ///< status() and problem() say why; the connection is of no more use
    };

    HttpParser();
    ~HttpParser();
    HttpParser(const HttpParser&) = delete;
    HttpParser& operator=(const HttpParser&) = delete;

    /// Uses up bytes until it stops; `used` tells how many.
    Stop feed(std::string_view bytes, std::size_t& used);
    void next();

    [[nodiscard]] const HttpRequest& request() const;
    [[nodiscard]] HttpRequest take_request();
    /// The client wants the connection to stay open behind this request.
    [[nodiscard]] bool keeps_alive() const;
    /// The client waits for "100 Continue".
    [[nodiscard]] bool expects_continue() const;
    /// Bytes of a request have come, but not all.
    [[nodiscard]] bool in_request() const;
    [[nodiscard]] int status() const;
    [[nodiscard]] const std::string& problem() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pp::hub::mcp
