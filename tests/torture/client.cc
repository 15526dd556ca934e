#include "tests/torture/client.h"

#include <stdexcept>

#include "cli/failure.h"

namespace pp::torture {

Client::Client(Watchdog& dog, const test::Installation& installation)
    : dog_{dog},
      context_{installation.home(), installation.environment(), installation.work()},
      hub_{loop_, context_} {}

Said Client::ask(const std::string& operation, const nlohmann::json& arguments) {
    const Watchdog::Wait wait{dog_, "the hub's answer to " + operation + " " + arguments.dump()};
    try {
        const auto answer = hub_.wait_for(operation, arguments.dump());
        Said said{answer.exit == cli::Exit::done, answer.lost, {}, answer.text};
        if (!answer.result.empty()) said.result = nlohmann::json::parse(answer.result);
        return said;
    } catch (const cli::Failure& failure) {  // hubs were killed faster than one could be talked to
        return {false, true, {}, failure.what()};
    }
}

nlohmann::json Client::insist(const std::string& operation, const nlohmann::json& arguments) {
    while (true) {
        auto said = ask(operation, arguments);
        if (said.ok) return std::move(said.result);
        if (!said.lost) throw std::runtime_error(operation + " " + arguments.dump() + " is refused: " + said.text);
    }
}

}  // namespace pp::torture
