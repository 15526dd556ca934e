#include <catch2/catch.hpp>

#include "hub/mcp/guard.h"

using namespace pp::hub::mcp;

namespace {

HttpRequest request(std::vector<std::pair<std::string, std::string>> headers, const std::string& method = "POST") {
    HttpRequest head;
    head.method = method;
    head.target = "/mcp";
    head.headers = std::move(headers);
    if (!head.has("host")) head.headers.emplace_back("host", "127.0.0.1:8947");
    if (!head.has("content-type")) head.headers.emplace_back("content-type", "application/json");
    return head;
}

const Guard kGuard{{"secret", false, 8947}};
const HttpPeer kOwn{false, true};
const HttpPeer kStranger{false, false};

int status(const HttpRequest& head, const HttpPeer& peer = kOwn, const Guard& guard = kGuard) {
    return guard.check(head, peer).status;
}

}  // namespace

TEST_CASE("only names of this machine with our port are hosts", "[mcp][guard]") {
    for (const char* host : {"127.0.0.1:8947", "localhost:8947", "[::1]:8947"}) CHECK(status(request({{"host", host}})) == 0);
    for (const char* host : {"evil.com:8947", "127.0.0.1", "localhost:80", "localhost", "127.0.0.1:8947.evil.com",
                             "localhost.evil.com:8947", "", "[::1]", "127.0.0.1:08947"})
        CHECK(status(request({{"host", host}})) == 403);
}

TEST_CASE("web pages from elsewhere are refused by their origin", "[mcp][guard]") {
    for (const char* origin : {"http://localhost:3000", "http://127.0.0.1", "https://[::1]:1"})
        CHECK(status(request({{"origin", origin}})) == 0);
    for (const char* origin : {"null", "http://evil.com", "file://", "http://localhost.evil.com", "http://127.0.0.1.evil.com:80",
                               "chrome-extension://x", ""})
        CHECK(status(request({{"origin", origin}})) == 403);
}

TEST_CASE("a page cannot post without a preflight, and gets none", "[mcp][guard]") {
    CHECK(status(request({{"content-type", "text/plain"}})) == 415);
    CHECK(status(request({{"content-type", "application/jsonx"}})) == 415);
    CHECK(status(request({{"content-type", "application/json; charset=utf-8"}})) == 0);
    CHECK(status(request({}, "OPTIONS")) == 405);
    CHECK(status(request({}, "PUT")) == 405);
}

TEST_CASE("who is not of our uid needs the token", "[mcp][guard]") {
    CHECK(status(request({}), kStranger) == 401);
    CHECK(status(request({{"authorization", "Bearer secret"}}), kStranger) == 0);
    CHECK(status(request({{"authorization", "Bearer secre"}}), kStranger) == 401);
    CHECK(status(request({{"authorization", "Bearer secretx"}}), kStranger) == 401);
    CHECK(status(request({{"authorization", "Bearer "}}), kStranger) == 401);
    CHECK(status(request({{"authorization", "secret"}}), kStranger) == 401);
    CHECK(status(request({{"authorization", "Bearer secret"}, {"authorization", "Bearer secret"}}), kStranger) == 401);
    const Guard no_token{{"", false, 8947}};
    CHECK(status(request({{"authorization", "Bearer "}}), kStranger, no_token) == 401);
}

TEST_CASE("being of our uid is not enough where a token is asked for, or where somebody forwards", "[mcp][guard]") {
    const Guard strict{{"secret", true, 8947}};
    CHECK(status(request({}), kOwn, strict) == 401);
    CHECK(status(request({{"authorization", "Bearer secret"}}), kOwn, strict) == 0);
    for (const char* header : {"forwarded", "via", "x-forwarded-for", "x-forwarded-host"}) {
        CHECK(status(request({{header, "x"}})) == 401);
        CHECK(status(request({{header, "x"}, {"authorization", "Bearer secret"}})) == 0);
    }
}

TEST_CASE("the unix socket is its owner's alone, and needs neither host nor token", "[mcp][guard]") {
    CHECK(status(request({{"host", "anything"}}), HttpPeer{true, true}) == 0);
    CHECK(status(request({}), HttpPeer{true, false}) == 403);
}
