#include "hub/mcp/guard.h"

#include <algorithm>
#include <cctype>

#include "hub/mcp/json_rpc.h"

namespace pp::hub::mcp {
namespace {

bool is_loopback_name(const std::string& host) {
    return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

/// "localhost:8947" → "localhost"; the brackets of IPv6 stay.
std::string without_port(const std::string& authority) {
    const auto bracket = authority.rfind(']');
    const auto colon = authority.rfind(':');
    if (colon == std::string::npos || (bracket != std::string::npos && colon < bracket)) return authority;
    return authority.substr(0, colon);
}

/// Absent, or a page that this machine serves. "null" (a file, a sandboxed frame) is not.
bool is_allowed_origin(const std::string& origin) {
    for (const char* scheme : {"http://", "https://"}) {
        if (origin.starts_with(scheme)) return is_loopback_name(without_port(origin.substr(std::string{scheme}.size())));
    }
    return false;
}

bool was_forwarded(const HttpRequest& head) {
    return std::any_of(head.headers.begin(), head.headers.end(), [](const auto& header) {
        return header.first == "forwarded" || header.first == "via" || header.first.starts_with("x-forwarded-");
    });
}

bool is_json(const std::string& content_type) {
    auto kind = content_type.substr(0, content_type.find(';'));
    while (!kind.empty() && kind.back() == ' ') kind.pop_back();
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return kind == "application/json";
}

}  // namespace

HttpResponse http_error(int status, const std::string& message) {
    HttpResponse response;
    response.status = status;
    response.body = rpc_error(nullptr, kInvalidRequest, message);
    return response;
}

bool equal_in_constant_time(const std::string& a, const std::string& b) {
    volatile unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < b.size(); ++i) {
        const auto left = static_cast<unsigned char>(a.empty() ? 0 : a[i % a.size()]);
        difference = static_cast<unsigned char>(difference | (left ^ static_cast<unsigned char>(b[i])));
    }
    return difference == 0;
}

bool Guard::names_us(const std::string& host) const {
    return host == without_port(host) ? rules_.port == 80 && is_loopback_name(host)
                                      : is_loopback_name(without_port(host)) &&
                                            host.substr(without_port(host).size() + 1) == std::to_string(rules_.port);
}

bool Guard::has_token(const HttpRequest& head) const {
    const std::string authorization = head.header("authorization");
    const std::string scheme = "Bearer ";
    return !rules_.token.empty() && head.count("authorization") == 1 && authorization.starts_with(scheme) &&
           equal_in_constant_time(authorization.substr(scheme.size()), rules_.token);
}

HttpResponse Guard::check(const HttpRequest& head, const HttpPeer& peer) const {
    if (peer.is_unix) {
        if (!peer.is_own_uid) return http_error(403, "this socket is its owner's alone");
    } else if (!names_us(head.header("host"))) {
        return http_error(403, "the Host header must name 127.0.0.1, localhost or [::1] with port " +
                                   std::to_string(rules_.port));
    }
    if (head.count("origin") > 1 || (head.has("origin") && !is_allowed_origin(head.header("origin"))))
        return http_error(403, "requests of web pages from elsewhere are refused (Origin)");
    if (head.method != "POST" && head.method != "GET" && head.method != "DELETE") {
        auto refused = http_error(405, "POST, GET and DELETE are served here");
        refused.headers.emplace_back("Allow", "POST, GET, DELETE");
        return refused;
    }
    const bool passes_by_uid = peer.is_own_uid && (peer.is_unix || !rules_.needs_token) && !was_forwarded(head);
    if (!passes_by_uid && !has_token(head)) {
        auto refused = http_error(401, "needs 'Authorization: Bearer TOKEN' with the token of pp's state directory");
        refused.headers.emplace_back("WWW-Authenticate", "Bearer");
        return refused;
    }
    if (head.method == "POST" && !is_json(head.header("content-type")))
        return http_error(415, "Content-Type must be application/json");
    HttpResponse pass;
    pass.status = 0;
    return pass;
}

}  // namespace pp::hub::mcp
