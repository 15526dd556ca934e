#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "tests/support/installation.h"
#include "tests/support/mcp_client.h"

using namespace pp;
using nlohmann::json;
using test::Installation;

namespace {

constexpr std::uint64_t kWritten = 1u << 30;
constexpr std::uint64_t kKept = 128u << 20;
/// Far below what is kept, and above what a program with sanitizers takes for itself.
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
constexpr long kMostKib = 400 << 10;
#else
constexpr long kMostKib = 48 << 10;
#endif

long peak_kib(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    }
    return -1;
}

}  // namespace

TEST_CASE("1 GiB on one line is kept and read in bounded memory, by people and agents", "[e2e][bad][memory]") {
    Installation pp;
    pp.set("ASAN_OPTIONS", "quarantine_size_mb=8");
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    test::McpClient agent{pp.mcp_port(), pp.work()};
    const auto started = agent.call(
        "start", {{"command", "head -c 1G /dev/zero | tr '\\000' x; echo; echo end"},
                  {"name", "big"},
                  {"wait", {{"for", "exit"}, {"timeout", 3600}}},
                  {"options", {{"log", {{"size", "128M"}}}}}});
    REQUIRE(started["ended"] == true);
    CHECK(started["process"]["outcome"] == "succeeded");
    CHECK(started["cursor"] == kWritten + 5);
    CHECK(started["output"].get<std::string>().size() <= 16'200);

    const auto line = agent.call("get_output", {{"process", "big"}, {"lines", 1}});
    CHECK(line["output"] == "end\n");
    const auto most = agent.call("get_output", {{"process", "big"}, {"max_chars", 400'000}});
    CHECK(most["output"].get<std::string>().size() > 65'000);
    CHECK(most["lost_bytes"].get<std::uint64_t>() > kWritten - kKept - (1u << 20));
    const auto on = agent.call("get_output", {{"process", "big"}, {"cursor", kWritten - 1000}, {"max_chars", 500}});
    CHECK(on["output"] == std::string(500, 'x'));
    CHECK(on["more"] == true);
    CHECK(peak_kib(pp.hub_pid()) < kMostKib);

    for (const auto& options : std::vector<std::vector<std::string>>{
             {"--raw"}, {"--plain"}, {"--json"}, {"-n", "2"}, {"--grep", "^end$"}}) {
        CAPTURE(options.front());
        // the test itself keeps nothing of it
        std::string script = pp.program("pp") + " logs big";
        for (const auto& option : options) script += " '" + option + "'";
        test::Running reading{{"/bin/sh", "-c", "exec 3>&1; " + script + " 2>&3 | tail -c 100"}, pp.environment(), pp.work()};
        const auto shown = reading.wait();
        CHECK_THAT(shown.out, Catch::Matchers::Contains("end"));
        CHECK(shown.max_resident_kib < kMostKib);
    }
    CHECK(peak_kib(pp.shim_pid("p1")) < kMostKib);
}
