#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pp::hub::mcp {

/// What the library lists of a tool. How it is done is the catalogue's business.
struct Tool {
    std::string name;
    std::string title;
    std::string description;
    nlohmann::json input_schema;
    nlohmann::json output_schema;
    nlohmann::json annotations;
    bool core = true;  ///< listed without `?tools=all`
};

/// Who calls: known from the session and the endpoint's address.
struct Caller {
    std::string client_name;
    std::string client_version;
    std::string session;  ///< opaque; names this client until it ends its session
    std::string project;  ///< absolute path from `?project=`; empty: none
};

struct ToolResult {
    std::string structured;  ///< JSON, an object that fits the output schema; empty with an error
    std::string text;        ///< the same facts for a reader
    bool is_error = false;
};

/// A call that may be answered later, on the same loop. Answered once; what comes after is dropped. Destroyed unanswered,
/// it answers with an internal error.
class PendingCall {
  public:
    /// Takes the response: JSON.
    using OnEnd = std::function<void(std::string response)>;

    PendingCall(nlohmann::json id, OnEnd on_end) : id_(std::move(id)), on_end_{std::move(on_end)} {}
    PendingCall(const PendingCall&) = delete;
    PendingCall& operator=(const PendingCall&) = delete;
    ~PendingCall();

    void reply(const ToolResult& result);
    /// A protocol error, for a malformed call alone.
    void fail(int code, const std::string& message);
    /// Called when the client has cancelled or gone away; at most once, and not after the answer.
    void on_cancel(std::function<void()> callback);
    void cancel();
    [[nodiscard]] bool ended() const { return !on_end_; }

  private:
    void end(std::string response);

    nlohmann::json id_;
    OnEnd on_end_;
    std::function<void()> on_cancel_;
};

/// The tools that an endpoint serves: the one thing that a program implements to be an MCP server.
class Catalogue {
  public:
    virtual ~Catalogue() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::string version() const = 0;
    /// Shown to the model by some clients, at most 2 KB.
    [[nodiscard]] virtual std::string instructions() const = 0;
    /// In the order in which they are listed.
    [[nodiscard]] virtual const std::vector<Tool>& tools() const = 0;
    /// Must not throw; bad arguments are a result with `is_error`.
    virtual void call(const Caller& caller, const Tool& tool, const nlohmann::json& arguments,
                      std::shared_ptr<PendingCall> call) = 0;
};

}  // namespace pp::hub::mcp
