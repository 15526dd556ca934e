#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/output/print.h"
#include "cli/output/process_text.h"
#include "cli/output/terminal_size.h"
#include "cli/project_option.h"
#include "cli/target.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

constexpr std::size_t kNewestFinished = 20;

bool lies_in(const rundir::ProcessFiles& files, const std::string& project) {
    if (!files.launch) return false;
    const auto& directory = files.launch->working_directory;
    return files.launch->project == project || directory == project || directory.starts_with(project + "/");
}

/// Leaves the live ones and the newest of the finished; says how many went.
std::size_t shorten(std::vector<rundir::ProcessFiles>& all) {
    const auto finished =
        std::count_if(all.begin(), all.end(), [](const auto& one) { return !is_live(one); });
    const auto surplus = static_cast<std::size_t>(finished) > kNewestFinished
                             ? static_cast<std::size_t>(finished) - kNewestFinished
                             : 0;
    std::size_t left = surplus;
    std::erase_if(all, [&](const auto& one) { return left > 0 && !is_live(one) && left-- > 0; });
    return surplus;
}

}  // namespace

int ls_command(const Context& context, const Words& words) {
    bool all_of_them = false;
    bool as_json = false;
    bool quiet = false;
    std::optional<std::string> project;
    Arguments arguments{"ls",
                        "List processes: those that live, and the newest that have finished. Needs no hub."};
    arguments.flag("-a,--all", all_of_them, "every one that is still known");
    arguments.option("--project", project, "DIR", "only those of this project");
    arguments.flag("-q,--quiet", quiet, "only ids");
    arguments.flag("--json", as_json, "as JSON: {\"processes\": [...]}");
    arguments.parse(words);

    auto all = read_all_processes(context.home);
    if (project) {
        const auto wanted = project_given(*project);
        std::erase_if(all, [&](const auto& one) { return !lies_in(one, wanted); });
    }
    const auto left_out = all_of_them ? 0 : shorten(all);
    const auto now = wall_clock_ns();
    nlohmann::json processes = nlohmann::json::array();
    for (const auto& files : all) processes.push_back(rundir::process_json(files, now));
    if (quiet) {
        for (const auto& files : all) print(rundir::process_id(files.number) + "\n");
    } else if (as_json) {
        print(nlohmann::json{{"processes", processes}}.dump(-1, ' ', false,
                                                            nlohmann::json::error_handler_t::replace) +
              "\n");
    } else {
        print(process_table(processes).text(may_colour(STDOUT_FILENO), terminal_width(STDOUT_FILENO)));
    }
    if (left_out > 0 && !quiet && !as_json)
        say(std::to_string(left_out) + " more have finished earlier: pp ls --all");
    return code(Exit::done);
}

}  // namespace pp::cli
