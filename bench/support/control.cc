#include "bench/support/control.h"

#include <stdexcept>

#include "bench/support/spawned.h"

namespace pp::bench {
namespace {

const std::string& result_of(const cli::Answer& answer) {
    if (answer.exit != cli::Exit::done) throw std::runtime_error("the hub refuses: " + answer.text);
    return answer.result;
}

}  // namespace

Control::Control(const test::Installation& installation)
    : context_{installation.home(), installation.environment(), installation.work()},
      client_{loop_, context_} {
    ask("hub_status", nlohmann::json::object());
}

nlohmann::json Control::ask(const std::string& operation, const nlohmann::json& arguments) {
    return nlohmann::json::parse(answer(operation, arguments.dump()));
}

std::string Control::answer(const std::string& operation, const std::string& arguments) {
    return result_of(client_.wait_for(operation, arguments));
}

nlohmann::json Control::next_idle() {
    const std::string number = std::to_string(++started_);
    return {{"command", {program("bench_idle"), number}},
            {"name", "idle-" + number},
            {"wait", {{"for", "none"}}}};
}

void Control::ask(const std::string& operation, const nlohmann::json& arguments,
                  std::function<void(const nlohmann::json&)> on_result) {
    client_.ask(operation, arguments.dump(), [on_result = std::move(on_result)](const cli::Answer& answer) {
        on_result(nlohmann::json::parse(result_of(answer)));
    });
}

void Control::turn_until(const std::function<bool()>& holds) {
    while (!holds()) loop_.turn();
}

void Control::start_idle(int count) {
    int running = 0;
    for (int i = 0; i < count; ++i) ask("start", next_idle(), [&](const nlohmann::json&) { ++running; });
    turn_until([&] { return running == count; });
}

}  // namespace pp::bench
