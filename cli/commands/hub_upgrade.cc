#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands/hub_commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "cli/target.h"
#include "protocol/os/build_id.h"
#include "protocol/os/daemon.h"

namespace pp::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kShownOfBuild = 8;

std::string text_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end() || found->is_null()) return "";
    return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

/// "0.1.0 (build 1a2b3c4d, pid 12)".
std::string program_text(const json& program) {
    const auto version = text_of(program, "version");
    const auto build = text_of(program, "build");
    return (version.empty() ? "an unknown version" : version) + " (build " +
           (build.empty() ? "unknown" : build.substr(0, kShownOfBuild)) + ", pid " + text_of(program, "pid") + ")";
}

std::string part_text(const json& part) {
    auto name = text_of(part, "part");
    if (name == "shim") name += " of " + text_of(part, "name") + " (" + text_of(part, "id") + ")";
    const auto result = text_of(part, "result");
    const auto why = text_of(part, "why");
    if (result == "upgraded") return name + ": " + program_text(part["from"]) + " -> " + program_text(part["to"]);
    if (result == "current") return name + ": " + (part["from"].is_null() ? "none runs" : program_text(part["from"]) + " is current");
    if (result == "left") return name + ": " + (part["from"].is_null() ? "" : program_text(part["from"]) + " ") + "left as it is: " + why;
    return name + ": failed: " + why;
}

/// Says what became of a part as soon as it is known. Throws Failure where it failed.
class Report {
  public:
    explicit Report(bool as_json) : as_json_{as_json} {}

    void add(const json& part) {
        const auto result = text_of(part, "result");
        ++(result == "upgraded" ? upgraded_ : result == "current" ? current_ : left_);
        print(as_json_ ? part.dump(-1, ' ', false, json::error_handler_t::replace) + "\n" : part_text(part) + "\n");
        if (result == "failed")
            throw Failure{Exit::failed,
                          "stopped there: what comes after it is left as it was, and works on; processes live on. See 'pp status' and the "
                          "logs of shim and keeper"};
    }
    void sum_up() const {
        if (!as_json_)
            say(std::to_string(upgraded_) + " upgraded, " + std::to_string(current_) + " current, " + std::to_string(left_) + " left");
    }

  private:
    bool as_json_;
    int upgraded_ = 0;
    int current_ = 0;
    int left_ = 0;
};

json program_of(const os::PidFd& hub, const Context& context) {
    const auto epoch = rundir::find_hub_epoch(context.home);
    const auto build = os::build_id("/proc/" + std::to_string(hub.pid()) + "/exe");
    return {{"pid", hub.pid()}, {"version", epoch ? json(epoch->version) : json{}}, {"build", build.empty() ? json{} : json(build)}};
}

/// The hub first: the newest knows all older parts, and no old one knows the newest.
json upgrade_hub(const Context& context) {
    json part{{"part", "hub"}, {"id", nullptr}, {"name", nullptr}, {"result", "current"}, {"why", nullptr}, {"from", nullptr}, {"to", nullptr}};
    const auto old = find_or_start_hub(context);
    part["from"] = program_of(old, context);
    if (os::executes_build(old.pid(), os::sibling_program("pp-hub"))) return part;
    stop_hub(context);
    part["to"] = program_of(find_or_start_hub(context), context);
    part["result"] = "upgraded";
    return part;
}

}  // namespace

int upgrade(const Context& context, bool as_json) {
    Report report{as_json};
    report.add(upgrade_hub(context));
    os::Loop loop;
    HubClient hub{loop, context};
    const auto ask = [&](const json& question) {
        const auto answer = hub.wait_for("hub_upgrade", question.dump());
        if (answer.exit == Exit::not_found) return;  // cleared since we looked
        report.add(json::parse(required(answer).result));
    };
    ask(json::object());  // the keeper starts the shims: it comes before them
    for (const auto& files : read_all_processes(context.home)) {
        if (files.held || files.is_unattended()) ask({{"process", rundir::process_id(files.number)}});
    }
    report.sum_up();
    return code(Exit::done);
}

}  // namespace pp::cli
