#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/context.h"
#include "cli/hub_client.h"
#include "protocol/os/loop.h"
#include "tests/support/installation.h"

namespace pp::bench {

/// The hub's control socket as pp itself uses it. Starts the hub.
class Control {
  public:
    explicit Control(const test::Installation& installation);

    /// Throws what the hub refuses.
    std::string answer(const std::string& operation, const std::string& arguments);
    nlohmann::json ask(const std::string& operation, const nlohmann::json& arguments);
    /// The same, answered while turn_until() turns.
    void ask(const std::string& operation, const nlohmann::json& arguments,
             std::function<void(const nlohmann::json&)> on_result);
    void turn_until(const std::function<bool()>& holds);
    /// Idle children p1, p2, … under pp, asked for all at once. Returns when all run.
    void start_idle(int count);
    /// One of them; returns when it runs.
    void start_idle() { ask("start", next_idle()); }

  private:
    nlohmann::json next_idle();

    cli::Context context_;
    os::Loop loop_;
    cli::HubClient client_;
    int started_ = 0;
};

}  // namespace pp::bench
