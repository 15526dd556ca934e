#include <catch2/catch.hpp>

#include "tests/hub/mcp/served.h"

using namespace pp;
using nlohmann::json;
using test::Served;

namespace {

std::string call(int id, const std::string& tool, const json& arguments = json::object()) {
    return json{{"jsonrpc", "2.0"}, {"id", id}, {"method", "tools/call"}, {"params", {{"name", tool}, {"arguments", arguments}}}}
        .dump();
}

json answer(Served& served, const std::string& body, const std::string& headers, int expected = 200,
            const std::string& target = "/mcp") {
    const auto fd = served.connect();
    const auto text = served.talk(fd, served.post(body, headers, target));
    CHECK(Served::status(text) == expected);
    return Served::body(text);
}

}  // namespace

TEST_CASE("a session begins with initialize, and ends with DELETE", "[mcp][session]") {
    Served served;
    const auto session = served.initialize();
    CHECK(answer(served, R"({"jsonrpc":"2.0","id":1,"method":"ping"})", session)["result"] == json::object());
    const std::string remove = "DELETE /mcp HTTP/1.1\r\nHost: localhost:" + std::to_string(served.port()) + "\r\n" + session + "\r\n";
    auto fd = served.connect();
    CHECK(Served::status(served.talk(fd, remove)) == 204);
    fd = served.connect();
    CHECK(Served::status(served.talk(fd, remove)) == 404);
    answer(served, R"({"jsonrpc":"2.0","id":1,"method":"ping"})", session, 404);
    answer(served, R"({"jsonrpc":"2.0","id":1,"method":"ping"})", "", 400);
}

TEST_CASE("the client's revision is taken where it is known, else the newest is offered", "[mcp][session]") {
    Served served;
    for (const auto& [asked, given] : std::vector<std::pair<std::string, std::string>>{
             {"2025-11-25", "2025-11-25"}, {"2024-11-05", "2024-11-05"}, {"2099-01-01", "2025-11-25"}}) {
        const auto fd = served.connect();
        const auto text = served.talk(fd, served.post(json{{"jsonrpc", "2.0"},
                                                           {"id", "a"},
                                                           {"method", "initialize"},
                                                           {"params", {{"protocolVersion", asked}}}}
                                                          .dump()));
        CHECK(Served::body(text)["result"]["protocolVersion"] == given);
        CHECK(Served::body(text)["id"] == "a");
    }
    const auto session = served.initialize();
    answer(served, R"({"jsonrpc":"2.0","id":1,"method":"ping"})", session + "MCP-Protocol-Version: 1999-01-01\r\n", 400);
}

TEST_CASE("tools are listed: the core ones, or all", "[mcp][tools]") {
    Served served;
    const auto session = served.initialize();
    const std::string list = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
    CHECK(answer(served, list, session)["result"]["tools"].size() == 2);
    CHECK(answer(served, list, session, 200, "/mcp?tools=all")["result"]["tools"].size() == 3);
}

TEST_CASE("a call gives its result as data and as text that is always UTF-8", "[mcp][tools]") {
    Served served;
    const auto session = served.initialize("2025-11-25", "agent");
    const auto result = answer(served, call(1, "echo", {{"a", 1}}), session, 200, "/mcp?project=/a%20b")["result"];
    CHECK(result["structuredContent"]["client"] == "agent");
    CHECK(result["structuredContent"]["project"] == "/a b");
    CHECK(result["structuredContent"]["said"]["a"] == 1);
    CHECK(result["isError"] == false);
    CHECK(result["content"][0]["text"] == "said \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("malformed calls are protocol errors, and disturb nothing", "[mcp][rpc]") {
    Served served;
    const auto session = served.initialize();
    CHECK(answer(served, call(1, "nothing"), session)["error"]["code"] == -32602);
    CHECK(answer(served, R"({"jsonrpc":"2.0","id":1,"method":"no/such"})", session)["error"]["code"] == -32601);
    CHECK(answer(served, "{not json", session, 400)["error"]["code"] == -32700);
    CHECK(answer(served, std::string(100, '[') + std::string(100, ']'), session, 400)["error"]["code"] == -32700);
    CHECK(answer(served, R"({"jsonrpc":"2.0","id":null,"method":"ping"})", session, 400)["error"]["code"] == -32600);
    CHECK(answer(served, R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", session, 400)["error"]["code"] == -32600);
    CHECK(answer(served, R"({"id":1,"method":"ping"})", session, 400)["error"]["code"] == -32600);
    CHECK(answer(served, "[]", session, 400)["error"]["code"] == -32600);
    CHECK(answer(served, R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})", session, 400)["error"]["code"] == -32600);
    CHECK(answer(served, call(1, "broken"), session)["error"]["code"] == -32603);
    CHECK(answer(served, call(2, "echo"), session)["result"]["isError"] == false);
}

TEST_CASE("batches belong to the revision that has them", "[mcp][rpc]") {
    Served served;
    const std::string batch = R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},)" +
                              call(2, "echo") + "]";
    answer(served, batch, served.initialize("2025-11-25"), 400);
    CHECK(answer(served, batch, served.initialize("2025-03-26")).size() == 2);
}

TEST_CASE("a notification is accepted without a word", "[mcp][rpc]") {
    Served served;
    const auto session = served.initialize();
    const auto fd = served.connect();
    const auto text = served.talk(fd, served.post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", session));
    CHECK(Served::status(text) == 202);
}

TEST_CASE("two clients with equal ids get their own answers, and cancel their own calls", "[mcp][cancel]") {
    Served served;
    const auto first = served.initialize("2025-11-25", "first");
    const auto second = served.initialize("2025-11-25", "second");
    const auto a = served.connect();
    const auto b = served.connect();
    const auto send = [&](const os::UniqueFd& fd, const std::string& session) {
        const auto bytes = served.post(call(7, "wait"), session);
        REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    };
    send(a, first);
    while (served.catalogue.waiting.size() < 1) served.turn();
    send(b, second);
    while (served.catalogue.waiting.size() < 2) served.turn();
    const auto c = served.connect();
    served.talk(c, served.post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})", second));
    CHECK(served.catalogue.cancelled == 1);
    CHECK(Served::body(served.talk(b, ""))["error"]["message"] == "the call was cancelled");
    served.catalogue.waiting[0]->reply({R"({"who":"first"})", "done", false});
    CHECK(Served::body(served.talk(a, ""))["result"]["structuredContent"]["who"] == "first");
}

TEST_CASE("a client that goes away cancels what it waited for", "[mcp][cancel]") {
    Served served;
    const auto session = served.initialize();
    auto fd = served.connect();
    const auto bytes = served.post(call(7, "wait"), session);
    REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    while (served.catalogue.waiting.empty()) served.turn();
    fd.reset();
    while (served.catalogue.cancelled == 0) served.turn();
    CHECK(served.catalogue.cancelled == 1);
    served.catalogue.waiting[0]->reply({"{}", "late", false});  // into nothing
}

TEST_CASE("the end of a session cancels its calls", "[mcp][cancel]") {
    Served served;
    const auto session = served.initialize();
    const auto fd = served.connect();
    const auto bytes = served.post(call(7, "wait"), session);
    REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    while (served.catalogue.waiting.empty()) served.turn();
    const auto other = served.connect();
    served.talk(other, "DELETE /mcp HTTP/1.1\r\nHost: localhost:" + std::to_string(served.port()) + "\r\n" + session + "\r\n");
    CHECK(served.catalogue.cancelled == 1);
}
