#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/context.h"
#include "cli/hub_client.h"
#include "protocol/os/loop.h"
#include "tests/support/installation.h"
#include "tests/torture/watchdog.h"

namespace pp::torture {

/// What the hub said; what it said no more because it was killed is `lost`.
struct Said {
    bool ok = false;
    bool lost = false;  ///< whether it was done is not known
    nlohmann::json result;
    std::string text;
};

/// A client on the hub's control socket, as pp itself is one; starts a hub where there is none. For one thread.
class Client {
  public:
    Client(Watchdog& dog, const test::Installation& installation);

    /// Asks, and turns until the answer is there. Hubs may be killed meanwhile, any number of them.
    Said ask(const std::string& operation, const nlohmann::json& arguments);
    /// The same of what must be done: asked again until a hub has answered. Throws what the hub refuses.
    nlohmann::json insist(const std::string& operation, const nlohmann::json& arguments);

    [[nodiscard]] const cli::Context& context() const { return context_; }

  private:
    Watchdog& dog_;
    cli::Context context_;
    os::Loop loop_;
    cli::HubClient hub_;
};

}  // namespace pp::torture
