#include "bench/support/control.h"

#include <stdexcept>

#include "bench/support/spawned.h"

namespace pp::bench {
namespace {

nlohmann::json result_of(const cli::Answer& answer) {
    if (answer.exit != cli::Exit::done) throw std::runtime_error("the hub refuses: " + answer.text);
    return nlohmann::json::parse(answer.result);
}

}  // namespace

Control::Control(const test::Installation& installation)
    : context_{installation.home(), installation.environment(), installation.work()},
      client_{loop_, context_} {
    ask("hub_status", nlohmann::json::object());
}

nlohmann::json Control::ask(const std::string& operation, const nlohmann::json& arguments) {
    return result_of(client_.wait_for(operation, arguments.dump()));
}

nlohmann::json Control::next_idle() {
    const std::string number = std::to_string(++started_);
    return {{"command", {program("bench_idle"), number}},
            {"name", "idle-" + number},
            {"wait", {{"for", "none"}}}};
}

void Control::start_idle(int count) {
    int running = 0;
    for (int i = 0; i < count; ++i) {
        client_.ask("start", next_idle().dump(), [&](const cli::Answer& answer) {
            result_of(answer);
            ++running;
        });
    }
    while (running < count) loop_.turn();
}

}  // namespace pp::bench
