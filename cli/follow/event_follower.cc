#include "cli/follow/event_follower.h"

#include <exception>
#include <utility>

#include "cli/failure.h"
#include "cli/output/json_text.h"

namespace pp::cli {

using nlohmann::json;

EventFollower::EventFollower(os::Loop& loop, const Context& context, json question, std::string process,
                             Owner owner)
    : loop_{loop},
      context_{context},
      question_(std::move(question)),
      process_{std::move(process)},
      owner_{std::move(owner)},
      hub_{loop, context} {
    question_["with_seen"] = true;
}

void EventFollower::look() {
    if (!asked_ && !ended_ && !hub_watch_ && owner_.has_room()) ask(has_all_);
}

void EventFollower::ask(bool wait) {
    question_["wait"] = wait;
    asked_ = true;
    hub_.ask(
        "events", json_text(question_), [this](const Answer& answer) { on_answer(answer); },
        HubClient::Again::unless_stopped);
}

void EventFollower::on_answer(const Answer& answer) {
    asked_ = false;
    if (answer.lost)
        return hub_was_stopped(context_.home) ? sleep_until_hub()
                                              : look();  // or it was killed again and again
    take(json::parse(required(answer).result));
    look();
}

void EventFollower::take(const json& result) {
    for (const auto& event : result.at("events")) {
        pass_on(event);
        if (ended_) return owner_.on_end();
    }
    if (const auto& problem = result.at("problem"); problem.is_string()) {
        owner_.on_problem(problem);
        has_all_ = true;  // the hub answers the same question as soon as it can
        return;
    }
    if (!std::exchange(has_begun_, true)) {
        for (const auto& [process, number] : result.at("seen").items())
            seen_[process] = std::max(seen_[process], number.get<std::uint64_t>());
        for (const char* only_once : {"with_seen", "last", "since_time"}) question_.erase(only_once);
    }
    question_["since"] = result.at("number");
    has_all_ = !result.at("more").get<bool>();
}

void EventFollower::pass_on(const json& event) {
    const bool is_of_shim = event.contains("process_number");
    if (is_of_shim) {
        const auto number = event["process_number"].get<std::uint64_t>();
        auto& seen = seen_[event.at("process").get<std::string>()];
        if (number <= seen) return;
        const bool is_gap = event.at("kind") == "missing";
        seen = is_gap ? event.at("cursor").get<std::uint64_t>() : number;
    }
    owner_.on_event(event);
    ended_ = !process_.empty() && event.at("kind") == "cleared";
}

/// It may have come already.
void EventFollower::sleep_until_hub() {
    try {
        hub_watch_ = std::make_unique<HubWatch>(
            loop_, context_.home,
            HubWatch::Owner{.on_hub =
                                [this] {
                                    hub_watch_.reset();
                                    look();
                                },
                            .on_gone =
                                [this] {
                                    ended_ = true;
                                    owner_.on_problem("the run directory was removed");
                                    owner_.on_end();
                                }});
    } catch (const std::exception& error) {
        throw Failure{Exit::no_hub, std::string{"the hub has ended; to wait for another: "} + error.what()};
    }
    if (!find_hub(context_.home)) return;
    hub_watch_.reset();
    look();
}

}  // namespace pp::cli
