#include "tests/torture/client.h"

#include <catch2/catch.hpp>

using namespace pp;
using test::Installation;
using torture::Client;

TEST_CASE("a client whose hub was killed between two questions gets its answer from the next one", "[torture][client]") {
    const Installation installation;
    torture::Watchdog dog{std::chrono::seconds{60}, installation};
    Client client{dog, installation};
    const auto first = client.ask("hub_status", nlohmann::json::object());
    REQUIRE(first.ok);
    const std::pair<std::string, nlohmann::json> questions[] = {{"hub_status", nlohmann::json::object()}, {"clear", {{"all", true}}}};
    for (const auto& [operation, arguments] : questions) {  // one that only reads, and one that does something
        CAPTURE(operation);
        Installation::kill_hard(installation.hub_pid());
        const auto said = client.ask(operation, arguments);
        INFO(said.text);
        CHECK(said.ok);
        CHECK_FALSE(said.lost);
    }
    CHECK(client.ask("hub_status", nlohmann::json::object()).result["pid"] != first.result["pid"]);
}
