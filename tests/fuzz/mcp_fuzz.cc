// Bytes on an MCP connection: HTTP, JSON-RPC, and the arguments of a tool that has a parameter of each kind. Every request
// gets one answer, whose body is JSON; how the bytes arrive makes no difference to what is asked.
//
// Input: who the client is and how the bytes are cut, then the bytes. The session "s" is the one that was opened last.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hub/mcp/http_parser.h"
#include "hub/mcp/server.h"
#include "hub/operations/moment.h"
#include "hub/refusal.h"
#include "hub/tools/arguments.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/input.h"

namespace {

using namespace pp;
using namespace pp::hub;
using fuzz::expect;
using fuzz::Input;
using nlohmann::json;

const json& schema() {
    static const json kSchema = json::parse(R"({"type":"object","properties":{
"process":{"type":["string","integer"]},"project":{"type":"string"},"text":{"type":"string"},"flag":{"type":"boolean"},
"number":{"type":"integer"},"seconds":{"type":"number"},"map":{"type":"object"},"choice":{"type":"string","enum":["a","b"]},
"nested":{"type":"object","properties":{"number":{"type":"integer"}}}}})");
    return kSchema;
}

/// Reads each argument as the tools do, and echoes it.
json read_arguments(const json& object) {
    const Arguments arguments{object, schema()};
    json read;
    if (const auto number = arguments.integer("number", -5, INT64_MAX)) {
        expect(*number >= -5, "a number is in its range");
        read["number"] = *number;
    }
    const auto seconds = arguments.seconds("seconds", 1, 3600);
    expect(seconds.count() >= 0 && seconds.count() <= 3'600'000, "seconds are in their range");
    if (const auto choice = arguments.choice("choice")) expect(*choice == "a" || *choice == "b", "a choice is one of them");
    const auto text = arguments.text_or("text", "");
    expect(text.find('\0') == std::string::npos, "no text holds a NUL byte");
    find_moment(text, 1'700'000'000'000'000'000);
    find_size(text);
    read["text"] = text;
    read["flag"] = arguments.flag("flag");
    read["map"] = arguments.text_map("map");
    read["nested"] = arguments.nested("nested").integer("number", 0, 10).value_or(0);
    read["process"] = arguments.optional_target().process;
    return read;
}

class EchoCatalogue : public mcp::Catalogue {
  public:
    EchoCatalogue() {
        mcp::Tool tool;
        tool.name = "echo";
        tool.input_schema = schema();
        tools_.push_back(tool);
        tool.name = "later";
        tools_.push_back(tool);
    }
    [[nodiscard]] std::string name() const override { return "echo"; }
    [[nodiscard]] std::string version() const override { return "1"; }
    [[nodiscard]] std::string instructions() const override { return ""; }
    [[nodiscard]] const std::vector<mcp::Tool>& tools() const override { return tools_; }
    void call(const mcp::Caller&, const mcp::Tool& tool, const json& arguments,
              std::shared_ptr<mcp::PendingCall> call) override {
        if (tool.name == "later") return waiting.push_back(std::move(call));
        try {
            call->reply({mcp::to_text(read_arguments(arguments)), "done", false});
        } catch (const Refusal& refusal) {
            call->reply({"", refusal.what(), true});
        }
    }

    std::vector<std::shared_ptr<mcp::PendingCall>> waiting;

  private:
    std::vector<mcp::Tool> tools_;
};

class OneReply : public mcp::HttpReply {
  public:
    void send(const mcp::HttpResponse& response) override {
        expect(++answers == 1, "a request is answered once");
        expect(response.status >= 200 && response.status < 600, "an answer has a status");
        expect(response.body.empty() || json::accept(response.body), "what is answered is JSON");
        for (const auto& [name, value] : response.headers) {
            if (name == "Mcp-Session-Id") session = value;
        }
    }
    void on_gone(std::function<void()> callback) override { gone = std::move(callback); }

    int answers = 0;
    std::string session;
    std::function<void()> gone;
};

using Requests = std::vector<mcp::HttpRequest>;

/// The requests in the bytes, which come in pieces of so many; and whether they end in nonsense.
Requests requests_of(std::string_view bytes, std::size_t piece, bool& is_bad) {
    mcp::HttpParser parser;
    Requests requests;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t used = 0;
        const auto part = bytes.substr(at, piece);
        const auto stop = parser.feed(part, used);
        expect(used <= part.size(), "no more bytes are used than there are");
        at += used;
        switch (stop) {
            case mcp::HttpParser::Stop::need_more: expect(used == part.size(), "all is used before more is wanted"); break;
            case mcp::HttpParser::Stop::head: break;
            case mcp::HttpParser::Stop::bad:
                expect(parser.status() >= 400 && !parser.problem().empty(), "a refusal says why");
                is_bad = true;
                return requests;
            case mcp::HttpParser::Stop::request:
                requests.push_back(parser.take_request());
                parser.next();
                break;
        }
    }
    return requests;
}

bool are_same(const Requests& a, const Requests& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
        return one.method == other.method && one.target == other.target && one.headers == other.headers &&
               one.body == other.body;
    });
}

void serve(mcp::Server& server, EchoCatalogue& catalogue, Requests requests, const mcp::HttpPeer& peer, bool cancels) {
    std::vector<std::shared_ptr<OneReply>> replies;
    std::string session;
    for (auto& request : requests) {
        for (auto& [name, value] : request.headers) {
            if (name == "mcp-session-id" && value == "s") value = session;
        }
        if (server.check(request, peer).status != 0) continue;
        const auto reply = std::make_shared<OneReply>();
        replies.push_back(reply);
        server.handle(request, reply);
        if (!reply->session.empty()) session = reply->session;
    }
    if (cancels) {
        for (const auto& reply : replies) {
            if (reply->gone) reply->gone();
        }
    }
    catalogue.waiting.clear();
    for (const auto& reply : replies) {
        reply->gone = nullptr;
        expect(reply->answers == 1, "a request that may pass is answered");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    const auto who = input.take<std::uint8_t>();
    const auto piece = input.take<std::uint8_t>() + 1U;
    const auto bytes = input.rest();
    bool is_bad = false;
    bool is_bad_in_pieces = false;
    auto requests = requests_of(bytes, SIZE_MAX, is_bad);
    expect(are_same(requests, requests_of(bytes, piece, is_bad_in_pieces)) && is_bad == is_bad_in_pieces,
           "how the bytes arrive makes no difference");

    EchoCatalogue catalogue;
    mcp::Server server{{"token", (who & 1U) != 0, 8947}};
    server.add_endpoint("/mcp", catalogue);
    serve(server, catalogue, std::move(requests), {(who & 2U) != 0, (who & 4U) == 0}, (who & 8U) != 0);
    return 0;
}
