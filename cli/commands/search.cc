#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/found_lines.h"
#include "cli/output/print.h"
#include "cli/output/style.h"
#include "cli/project_option.h"
#include "cli/run/stdin_pump.h"
#include "cli/time_input.h"
#include "protocol/ring/query.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

struct SearchOptions {
    json question;
    bool names_process = false;
    bool has_context = false;
    bool count = false;
    bool as_json = false;
};

/// As they stand on the command line.
struct SearchWords {
    std::optional<std::string> pattern, process, context, head, tail, run, since, stream, cursor, project;
    bool ignore_case = false, literal = false, count = false, all = false, json = false;
};

SearchWords read_words(const Words& words) {
    SearchWords given;
    Arguments arguments{"search",
                        "Find lines in the log of a process, or of all processes of this project. Each is "
                        "shown with its number "
                        "in the run. Exit code 1: no line matches."};
    arguments.positional(
        "PATTERN", given.pattern,
        "a regular expression (RE2), tried on each line as plain text; one that begins with a dash comes "
        "behind --");
    arguments.positional("NAME", given.process, "the process; without it, all of the project");
    arguments.flag("-i,--ignore-case", given.ignore_case, "upper and lower case are the same");
    arguments.flag("-F,--literal", given.literal, "the pattern is a text");
    arguments.option("-C,--context", given.context, "N", "and N lines before and behind each that matches");
    arguments.option("--head", given.head, "N", "only the first N matching lines of a process");
    arguments.option("--tail", given.tail, "N", "only the last N");
    arguments.flag("-c,--count", given.count, "only how many lines match");
    arguments.option("--run", given.run, "N", "in that run; -1 is the newest, -2 the one before (-1)");
    arguments.option("--since", given.since, "TIME", "from then on: ISO 8601, or 5m for five minutes ago");
    arguments.option("--stream", given.stream, "WHICH", "combined, stdout or stderr (combined)");
    arguments.option("--cursor", given.cursor, "N", "behind this cursor; of one process");
    arguments.option("--project", given.project, "DIR", "all processes of that project");
    arguments.flag("-a,--all", given.all, "all processes of all projects");
    arguments.flag("--json", given.json,
                   "as JSON: what agents get of search_logs, at most 400,000 characters of lines");
    arguments.parse(words);
    return given;
}

void refuse_contradictions(const SearchWords& given) {
    const auto exclude = [](bool both, const char* what) {
        if (both) throw Failure{Exit::usage, std::string{what} + " exclude each other"};
    };
    if (!given.pattern)
        throw Failure{Exit::usage, "there is no pattern; such as: pp search 'error|warn' web"};
    if (whole_text(*given.pattern).size != given.pattern->size())
        throw Failure{Exit::usage, "the pattern is not valid UTF-8"};
    exclude(given.process && given.all, "a process and --all");
    exclude(given.process && given.project, "a process and --project");
    exclude(given.project && given.all, "--project and --all");
    exclude(given.count && (given.head || given.tail), "--count and --head or --tail");
    if (given.cursor && !given.process)
        throw Failure{Exit::usage, "--cursor is one process's: name the process too"};
}

SearchOptions parse(const Words& words) {
    const auto given = read_words(words);
    refuse_contradictions(given);
    const auto number = [](const char* what, const std::optional<std::string>& text,
                           std::int64_t least) -> json {
        return text ? json(parse_number(what, *text, least)) : json{};
    };
    SearchOptions options;
    options.names_process = given.process.has_value();
    options.has_context = given.context && *given.context != "0";
    options.count = given.count;
    options.as_json = given.json;
    json& question = options.question;
    question = {
        {"pattern", *given.pattern},
        {"literal", given.literal},
        {"ignore_case", given.ignore_case},
        {"context_lines",
         given.context ? json(parse_number("--context", *given.context, 0, ring::kMaxContextLines)) : json{}},
        {"head", given.count ? json(0) : number("--head", given.head, 0)},
        {"tail", number("--tail", given.tail, 0)},
        {"run", number("--run", given.run, INT32_MIN)},
        {"cursor", number("--cursor", given.cursor, 0)},
        {"max_chars", ring::kMaxCharacters}};
    if (given.process) question["process"] = *given.process;
    if (given.all) question["project"] = "all";
    if (given.project) question["project"] = project_given(*given.project);
    if (given.stream) question["stream"] = *given.stream;
    if (given.since)
        question["since_time"] = rundir::iso_time(parse_time("--since", *given.since, wall_clock_ns()));
    return options;
}

/// Asks page after page, so that all is shown however much it is, unless only the last lines are wanted.
class Searcher {
  public:
    Searcher(const Context& context, SearchOptions options)
        : options_{std::move(options)},
          hub_{loop_, context},
          lines_{{!options_.names_process, options_.has_context, may_colour(STDOUT_FILENO)}} {}

    int run() {
        if (options_.as_json) return print_json();
        json& question = options_.question;
        if (question["tail"].is_null() && question["head"].is_null()) question["head"] = INT64_MAX;
        const auto answer = ask(question);
        for (const auto& process : answer.at("processes")) show_all(process, name_in(answer, process));
        if (found_ == 0 && !failed_ && !options_.count) say("no line matches" + where(answer));
        return code(found_ > 0 && !failed_ ? Exit::done : Exit::failed);
    }

  private:
    json ask(const json& question) {
        return json::parse(required(hub_.wait_for("search_logs", question.dump())).result);
    }

    int print_json() {
        const auto answer = ask(options_.question);
        print(answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
        return code(answer.at("matches") > 0 ? Exit::done : Exit::failed);
    }

    void show_all(json process, const std::string& name) {
        const auto head = options_.question.at("head");
        auto left = head.is_null() ? 0 : head.get<std::uint64_t>();
        std::uint64_t matches = process.at("matches");
        while (true) {
            tell(process, name);
            print(lines_.text(process, name));
            left -= std::min(left, process.at("shown").get<std::uint64_t>());
            const bool goes_on = process.at("more").get<bool>() && (options_.count || left > 0);
            if (!goes_on) break;
            process = next_page(process, left);
            if (options_.count) matches += process.at("matches").get<std::uint64_t>();
        }
        found_ += matches;
        if (options_.count && process.at("problem").is_null())
            print((options_.names_process ? "" : printable(name) + ":") + std::to_string(matches) + "\n");
        else if (const auto shown = process.at("shown").get<std::uint64_t>(); process.at("matches") > shown)
            tell_cut(process, name);
    }

    json next_page(const json& process, std::uint64_t left) {
        auto question = options_.question;
        question.erase("project");
        question.erase("since_time");
        question["process"] = process.at("process");
        question["run"] = process.at("run");
        question["cursor"] = process.at("cursor");
        if (!options_.count) question["head"] = left;
        return ask(question).at("processes").at(0);
    }

    void tell(const json& process, const std::string& name) {
        if (const auto& problem = process.at("problem"); !problem.is_null()) {
            failed_ = true;
            say(printable(name) + " could not be searched: " + problem.get<std::string>());
        }
        if (const auto lost = process.at("lost_bytes").get<std::uint64_t>(); lost > 0)
            say(printable(name) + ": " + std::to_string(lost) +
                " bytes are lost: overwritten, or refused by the disk");
    }

    void tell_cut(const json& process, const std::string& name) {
        const auto rest =
            process.at("matches").get<std::uint64_t>() - process.at("shown").get<std::uint64_t>();
        say(printable(name) + ": " + std::to_string(rest) + " more lines match");
    }

    /// Two of one name, from different projects, are told apart by their ids.
    static std::string name_in(const json& answer, const json& process) {
        const auto& processes = answer.at("processes");
        const auto& name = process.at("name");
        const auto namesakes = std::count_if(processes.begin(), processes.end(),
                                             [&](const json& other) { return other.at("name") == name; });
        return name.is_null() || namesakes > 1 ? process.at("process").get<std::string>()
                                               : name.get<std::string>();
    }

    std::string where(const json& answer) const {
        if (options_.names_process) return "";
        const auto searched = answer.at("searched").get<std::uint64_t>();
        const bool everywhere = options_.question.value("project", "") == "all";
        return ": " + std::to_string(searched) + (searched == 1 ? " process" : " processes") +
               (everywhere ? " searched" : " of this project searched; --all searches those of all projects");
    }

    SearchOptions options_;
    os::Loop loop_;
    HubClient hub_;
    FoundLines lines_;
    std::uint64_t found_ = 0;
    bool failed_ = false;
};

}  // namespace

int search_command(const Context& context, const Words& words) {
    return Searcher{context, parse(words)}.run();
}

}  // namespace pp::cli
