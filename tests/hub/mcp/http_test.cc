#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/hub/mcp/served.h"

using namespace pp;
using test::Served;

namespace {

std::string raw(const Served& served, const std::string& rest, const std::string& first = "POST /mcp HTTP/1.1") {
    return first + "\r\nHost: 127.0.0.1:" + std::to_string(served.port()) + "\r\n" + rest;
}

constexpr const char* kPost = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";

}  // namespace

TEST_CASE("a request comes through whole however it is cut", "[mcp][http]") {
    Served served;
    const auto session = served.initialize();
    const auto bytes = served.post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", session);
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        const auto fd = served.connect();
        REQUIRE(::send(fd.get(), bytes.data(), cut, MSG_NOSIGNAL) == static_cast<ssize_t>(cut));
        REQUIRE(Served::status(served.talk(fd, bytes.substr(cut))) == 200);
    }
}

TEST_CASE("pipelined requests are answered in their order", "[mcp][http]") {
    Served served;
    const auto session = served.initialize();
    std::string bytes;
    for (int id = 1; id <= 50; ++id)
        bytes += served.post(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"ping"})", session);
    const auto fd = served.connect();
    const auto answers = served.talk(fd, bytes, 50);
    REQUIRE(Served::whole_answers(answers) == 50);
    std::size_t at = 0;
    for (int id = 1; id <= 50; ++id) {
        at = answers.find("\"id\":" + std::to_string(id) + ",", at);
        REQUIRE(at != std::string::npos);
    }
}

TEST_CASE("what is ambiguous or too large is refused, and the connection closes", "[mcp][http]") {
    Served served;
    const std::string post = kPost;
    const std::vector<std::pair<std::string, int>> cases = {
        {raw(served, post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), 400},
        {raw(served, post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"), 400},
        {raw(served, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400},
        {raw(served, post + "Content-Length: -1\r\n\r\n"), 400},
        {raw(served, post + "Content-Length : 2\r\n\r\n{}"), 400},
        {raw(served, post + "Host: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"), 400},
        {raw(served, post + "X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"), 400},
        {raw(served, post + std::string("X: a\0b\r\n", 8) + "Content-Length: 2\r\n\r\n{}"), 400},
        {raw(served, post + "Content-Length: 5000000\r\n\r\n"), 413},
        {raw(served, post + "X: " + std::string(20000, 'x') + "\r\n\r\n"), 431},
        {"POST /mcp HTTP/1.1\r\n" + post + "Content-Length: 2\r\n\r\n{}", 400},
        {"GET /mcp\r\n\r\n", 505},
        {"\x16\x03\x01\x02garbage\r\n\r\n", 400},
        {raw(served, post + "\r\n", "OPTIONS /mcp HTTP/1.1"), 405},
        {raw(served, "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"), 415},
        {raw(served, "Content-Type: application/json\r\nAccept: text/html\r\nContent-Length: 2\r\n\r\n{}"), 406},
        {raw(served, post + "Origin: http://evil.com\r\nContent-Length: 2\r\n\r\n{}"), 403},
        {raw(served, post + "Content-Length: 2\r\n\r\n{}", "POST /else HTTP/1.1"), 404},
    };
    for (const auto& [bytes, status] : cases) {
        CAPTURE(bytes.substr(0, 200));
        const auto fd = served.connect();
        const auto answer = served.talk(fd, bytes, 2);  // two do not come: it closes
        CHECK(Served::status(answer) == status);
        CHECK(answer.find("Connection: close") != std::string::npos);
    }
}

TEST_CASE("a chunked body is read, and one that grows too large is refused", "[mcp][http]") {
    Served served;
    const auto session = served.initialize();
    const std::string body = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
    const auto fd = served.connect();
    const auto chunk = [](const std::string& bytes) {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
        return size + bytes + "\r\n";
    };
    const std::string head = raw(served, kPost + session + "Transfer-Encoding: chunked\r\n\r\n");
    CHECK(Served::status(served.talk(fd, head + chunk(body.substr(0, 7)) + chunk(body.substr(7)) + "0\r\n\r\n")) == 200);
    const auto other = served.connect();
    std::string large = head;
    for (int i = 0; i < 5; ++i) large += chunk(std::string(1 << 20, ' '));
    std::thread sender([&] { ::send(other.get(), large.data(), large.size(), MSG_NOSIGNAL); });
    CHECK(Served::status(served.talk(other, "")) == 413);
    ::shutdown(other.get(), SHUT_RDWR);
    sender.join();
}

TEST_CASE("a client that does not finish its request is told and dropped", "[mcp][http]") {
    hub::mcp::HttpLimits limits;
    limits.head = std::chrono::milliseconds{30};
    Served served{{}, limits};
    const auto fd = served.connect();
    const auto answer = served.talk(fd, "POST /mcp HTTP/1.1\r\nHost: 127", 2);
    CHECK(Served::status(answer) == 408);
    const auto silent = served.connect();
    CHECK(served.talk(silent, "", 1).empty());  // closed without a word
}

TEST_CASE("the kernel's word lets our own uid pass without a token", "[mcp][http]") {
    Served served{{"secret", false, 0}};
    CHECK(served.initialize().starts_with("Mcp-Session-Id: "));
    Served strict{{"secret", true, 0}};
    const auto fd = strict.connect();
    CHECK(Served::status(strict.talk(fd, strict.post("{}"))) == 401);
}

TEST_CASE("a client beyond the limit is told so, and served once another has gone", "[mcp][http]") {
    hub::mcp::HttpLimits limits;
    limits.connections = 2;
    Served served{{}, limits};
    const std::string call = served.post("{}");
    auto first = served.connect();
    const auto second = served.connect();
    CHECK(Served::status(served.talk(first, call)) == 400);
    CHECK(Served::status(served.talk(second, call)) == 400);
    const auto third = served.connect();
    const auto answer = served.talk(third, call, 2);
    CHECK(Served::status(answer) == 503);
    CHECK(answer.find("Connection: close") != std::string::npos);
    first.reset();
    while (served.http().connections() > 2) served.turn();
    CHECK(Served::status(served.talk(served.connect(), call)) == 400);
}

TEST_CASE("a high descriptor says that they run short, and is refused", "[mcp][http]") {
    hub::mcp::HttpLimits limits;
    limits.first_reserved = 3;
    Served served{{}, limits};
    CHECK(Served::status(served.talk(served.connect(), served.post("{}"))) == 503);
}

TEST_CASE("out of descriptors the listener pauses instead of spinning, and goes on when there are some", "[mcp][http]") {
    Served served;
    const auto client = served.connect();
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const os::UniqueFd lowest_free{::dup(0)};
    rlimit none_free = limit;
    none_free.rlim_cur = static_cast<rlim_t>(lowest_free.get());
    ::setrlimit(RLIMIT_NOFILE, &none_free);
    while (served.http().pauses() == 0) served.turn();
    served.turn();  // a spinning one would come back at once, and count again and again
    served.turn();
    const auto pauses = served.http().pauses();
    ::setrlimit(RLIMIT_NOFILE, &limit);  // before any check: the sanitizer takes descriptors to look at objects
    CHECK(pauses <= 3);
    CHECK(Served::status(served.talk(client, served.post("{}"))) == 400);
}

TEST_CASE("an end waits until the kernel has taken the answers that were given, and for nothing else", "[mcp][http][end]") {
    Served served;
    bool idle = false;
    served.http().finish([&] { idle = true; });
    CHECK(idle);

    Served busy;
    const auto session = busy.initialize();
    const auto fd = busy.connect();
    const auto call =
        busy.post(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","arguments":{}}})", session);
    REQUIRE(::send(fd.get(), call.data(), call.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(call.size()));
    while (busy.catalogue.waiting.empty()) busy.turn();
    constexpr std::size_t kLarge = 32u << 20;  // more than the kernel takes for somebody who does not read
    busy.catalogue.waiting.front()->reply({"{}", std::string(kLarge, 'x'), false});
    bool ended = false;
    busy.http().finish([&] { ended = true; });
    CHECK_FALSE(ended);
    const auto answer = busy.talk(fd, "", 1);
    CHECK(Served::whole_answers(answer) == 1);
    CHECK(answer.size() > kLarge);
    while (!ended) busy.turn();
}
