#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/target.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// One question per process, so that a name that is none leaves the others alone.
json clear_each(const Context& context, const std::vector<std::string>& names) {
    std::vector<std::string> ids;
    for (const auto& name : names) ids.push_back(rundir::process_id(find_target(context, name).number));
    os::Loop loop;
    HubClient hub{loop, context};
    json all{{"cleared", json::array()}, {"kept", json::array()}};
    for (const auto& id : ids) {
        const auto answer = required(hub.wait_for("clear", json{{"process", id}}.dump()));
        const auto result = json::parse(answer.result);
        for (const char* key : {"cleared", "kept"}) {
            for (const auto& one : result.value(key, json::array())) all[key].push_back(one);
        }
    }
    return all;
}

/// Of one that was kept: that it lives needs no telling.
bool is_finished(const Context& context, const json& kept) {
    const auto number = rundir::find_process_number(kept.value("id", ""));
    return number && !is_live(rundir::read_process_files(context.home, *number));
}

std::string words_for(const json& value) {
    return printable(value.is_string() ? value.get<std::string>() : value.dump());
}

}  // namespace

int clear_command(const Context& context, const Words& words) {
    std::vector<std::string> names;
    bool all_of_them = false;
    bool as_json = false;
    Arguments arguments{"clear",
                        "Forget finished processes and their logs. One that lives is never touched."};
    arguments.positional("NAME", names, "the processes");
    arguments.flag("--all", all_of_them, "every one that has finished");
    arguments.flag("--json", as_json, "as JSON");
    arguments.parse(words);
    if (names.empty() != all_of_them)
        throw Failure{Exit::usage, "name the processes, or give --all for every one that has finished"};

    const json result = all_of_them
                            ? json::parse(ask_hub(context, "clear", R"({"all":true,"project":"all"})").result)
                            : clear_each(context, names);
    const auto cleared = result.value("cleared", json::array());
    const auto kept = result.value("kept", json::array());
    if (as_json) {
        print(json_text(result) + "\n");
    } else {
        for (const auto& one : cleared) print(words_for(one) + " cleared\n");
        for (const auto& one : kept) {
            if (!all_of_them || is_finished(context, one))
                say(words_for(one.value("id", json{})) + " is kept: " + words_for(one.value("why", json{})));
        }
        const bool told =
            std::any_of(kept.begin(), kept.end(), [&](const auto& one) { return is_finished(context, one); });
        if (cleared.empty() && all_of_them && !told) say("nothing has finished");
    }
    return code(!all_of_them && !kept.empty() ? Exit::failed : Exit::done);
}

}  // namespace pp::cli
