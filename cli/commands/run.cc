#include <nlohmann/json.hpp>

#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/run/program_exit.h"
#include "cli/run/run_options.h"
#include "cli/run/session.h"

namespace pp::cli {
namespace {

int start_detached(const Context& context, const RunOptions& options) {
    os::Loop loop;
    HubClient hub{loop, context};
    const auto answer = hub.wait_for(start_request(context, options));
    if (answer.exit == Exit::failed && !answer.lost)
        throw Failure{exit_for_refused_start(context, options), answer.text};
    const auto result = nlohmann::json::parse(required(answer).result);
    print(options.json ? answer.result + "\n" : process_line(result.at("process")) + "\n");
    if (result.value("already_running", false)) say("it was running already");
    say_sandbox(result);
    const auto outcome = result.at("process").value("outcome", nlohmann::json{});
    const bool failed = result.value("ended", false) && outcome.is_string() && outcome != "succeeded";
    return code(failed ? Exit::failed : Exit::done);
}

}  // namespace

int run_command(const Context& context, const Words& words) {
    auto options = parse_run(words);
    if (options.detach) return start_detached(context, options);
    RunSession session{context, std::move(options)};
    return session.run();
}

}  // namespace pp::cli
