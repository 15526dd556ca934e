#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/follow/hub_watch.h"
#include "cli/hub_client.h"

namespace pp::cli {

/// Passes on events as they happen, each once, over hubs that come and go. A hub that was killed is started
/// again; one that was told to end is not: then it sleeps until somebody starts one.
///
/// Numbers of events grow over all hubs, so it goes on from the last one. A history that was lost and made
/// anew numbers anew what the processes' files still tell: that is known by the numbers of their shims.
class EventFollower {
  public:
    struct Owner {
        std::function<bool()> has_room;  ///< false: nothing is asked until look() is called again
        std::function<void(const nlohmann::json&)> on_event;
        std::function<void(const std::string&)>
            on_problem;                ///< why nothing may come for a while, for a person
        std::function<void()> on_end;  ///< nothing can come any more
    };
    /// `question`: the arguments of the operation `events` that are not about waiting. `process`: the only
    /// one asked about, by its id, or empty: once that is cleared, nothing can come.
    EventFollower(os::Loop& loop, const Context& context, nlohmann::json question, std::string process,
                  Owner owner);

    /// Asks for what comes next. Throws Failure if there is no hub to ask, and what it refuses.
    void look();

  private:
    void ask(bool wait);
    void on_answer(const Answer& answer);
    void take(const nlohmann::json& result);
    void pass_on(const nlohmann::json& event);
    void sleep_until_hub();

    os::Loop& loop_;
    const Context& context_;
    nlohmann::json question_;
    std::string process_;
    Owner owner_;
    HubClient hub_;
    std::unique_ptr<HubWatch> hub_watch_;
    std::map<std::string, std::uint64_t> seen_;  ///< the last event of each process, by its shim's number
    bool has_begun_ = false;                     ///< the first answer has come
    bool has_all_ = false;                       ///< what there was has been passed on: from now on wait
    bool asked_ = false;
    bool ended_ = false;
};

}  // namespace pp::cli
