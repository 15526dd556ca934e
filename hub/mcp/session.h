#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "hub/mcp/catalogue.h"

namespace pp::hub::mcp {

/// One client between initialize and DELETE (or idle expiry). Calls are known by (session, id), never by id alone: every SDK
/// counts from 0.
struct Session {
    std::string id;
    std::string protocol;  ///< the version agreed on
    std::string client_name;
    std::string client_version;
    std::chrono::steady_clock::time_point last_used;
    std::map<std::string, std::weak_ptr<PendingCall>> calls;  ///< by the id's JSON text
};

/// All sessions of an endpoint.
class Sessions {
  public:
    static constexpr std::size_t kMax = 1000;
    static constexpr std::chrono::hours kIdle{24};

    /// With a new random id. The one that was idle for longest makes room when there are too many.
    Session& open(std::string protocol, std::string client_name, std::string client_version);
    /// Null if there is none of this id (any more). Marks it as used.
    Session* find(const std::string& id);
    /// Ends it and cancels its calls. False if there was none.
    bool close(const std::string& id);
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

  private:
    void expire();
    std::map<std::string, Session> sessions_;
};

}  // namespace pp::hub::mcp
