#include <string>
#include <vector>

#include "bench/support/control.h"
#include "bench/support/echo_server.h"
#include "bench/support/placement.h"
#include "bench/support/samples.h"
#include "bench/support/table.h"
#include "tests/support/mcp_client.h"

// How long an agent waits for get_status, on a connection that is kept.

namespace {

using namespace pp;
using namespace pp::bench;

constexpr int kCalls = 2000;

void measure() {
    const auto placement = Placement::of_this_machine();  // both servers on one processor, their client on another
    run_on(placement.writer);
    const test::Installation installation;
    Control control{installation};
    control.start_idle();
    const std::string url = control.ask("hub_status", nlohmann::json::object()).at("mcp_url");
    const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    test::McpClient client{port};
    const std::string call = client.call_of("get_status", R"({"process":"p1"})");
    const auto answer = client.exchange(call);
    if (answer.find(R"("isError":true)") != std::string::npos) throw std::runtime_error(answer);

    EchoServer server{call.size(), answer.size()};
    run_on(placement.reader);
    const auto connection = connect_to(server.port());
    std::vector<Seconds> by_pp;
    std::vector<Seconds> echoed;
    for (int i = 0; i < kCalls; ++i) {
        const Stopwatch one;
        client.exchange(call);
        by_pp.push_back(one.elapsed());
        const Stopwatch other;
        exchange(connection.get(), call, answer.size());
        echoed.push_back(other.elapsed());
    }
    const Seconds pp = median(by_pp);
    const Seconds echo = median(echoed);
    const std::string baseline =
        "epoll server that answers as many bytes: " + figure(milliseconds(echo)) + " ms";
    print_row("MCP get_status, p50", at_most(0.5, "ms"), milliseconds(pp),
              figure(pp / echo) + " x " + baseline);
    print_row("MCP get_status, p50", at_most(10), pp / echo,
              baseline + "; pp " + figure(milliseconds(pp)) + " ms");
}

}  // namespace

int main() {
    return bench::run(measure);
}
