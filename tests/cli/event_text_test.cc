#include "cli/output/event_text.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace pp::cli;
using nlohmann::json;

TEST_CASE("an event is one line: number, time, who, what", "[cli][events]") {
    const json exit{{"number", 57},
                    {"time", "2026-01-31T10:00:00.123Z"},
                    {"process", "p3"},
                    {"name", "web"},
                    {"run", 2},
                    {"kind", "exited"},
                    {"what", "exited with code 7 (failed)"}};
    CHECK(event_line(exit, false) ==
          "57      2026-01-31T10:00:00.123Z  web#2             exited with code 7 (failed)\n");
    const json hub{{"number", 1},    {"time", nullptr},       {"process", nullptr}, {"name", nullptr},
                   {"run", nullptr}, {"kind", "hub_started"}, {"what", "started"}};
    CHECK(event_line(hub, false) == "1       -                         hub               started\n");
    json nameless = exit;
    nameless["name"] = nullptr;
    nameless["run"] = 0;
    nameless["what"] = "was\ncleared\x1b[2J";
    const auto line = event_line(nameless, false);
    CHECK_THAT(line, Catch::Contains("  p3  "));
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\x1b') == std::string::npos);
}

TEST_CASE("an event of a later version, with kinds and fields that are not known, is shown all the same",
          "[cli][events]") {
    CHECK_THAT(
        event_line(json{{"number", 3}, {"kind", "moved"}, {"process", "p1"}, {"what", "moved to the moon"}},
                   true),
        Catch::Contains("p1") && Catch::Contains("moved to the moon"));
}
