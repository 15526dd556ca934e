#include <unistd.h>

#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands/commands.h"
#include "cli/doctor/cgroup.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/hub.h"
#include "cli/doctor/kernel.h"
#include "cli/doctor/limits.h"
#include "cli/doctor/login.h"
#include "cli/doctor/processes.h"
#include "cli/doctor/programs.h"
#include "cli/doctor/run_directory.h"
#include "cli/doctor/sandbox.h"
#include "cli/doctor/state_directory.h"
#include "cli/doctor/strays.h"
#include "cli/failure.h"
#include "cli/output/json_text.h"
#include "cli/output/print.h"
#include "cli/output/style.h"

namespace pp::cli {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Survey;

struct Check {
    const char* area;
    std::function<Findings()> run;
};

/// Told of even where all checks that lean on it find nothing.
Findings check_survey(const Survey& survey) {
    Findings findings;
    for (const auto& refusal : survey.refusals)
        findings.push_back(doctor::problem("survey", refusal, "pp status and pp ls show more of it"));
    return findings;
}

/// In the order in which they are shown: what all stands on first.
std::vector<Check> checks(const Context& context, const Survey& survey) {
    return {
        {"kernel", [] { return doctor::check_kernel(); }},
        {"survey", [&] { return check_survey(survey); }},
        {"sandbox", [&] { return doctor::check_sandbox(survey); }},
        {"limits", [&] { return doctor::check_limits(survey); }},
        {"cgroups", [&] { return doctor::check_cgroup(survey); }},
        {"logout", [&] { return doctor::check_login(survey); }},
        {"programs", [&] { return doctor::check_programs(survey); }},
        {"run", [&] { return doctor::check_run_directory(context, survey); }},
        {"state", [&] { return doctor::check_state_directory(context); }},
        {"token", [&] { return doctor::check_token(context); }},
        {"hub", [&] { return doctor::check_hub(survey); }},
        {"port", [&] { return doctor::check_port(survey); }},
        {"processes", [&] { return doctor::check_processes(context, survey); }},
        {"files", [&] { return doctor::check_strays(context, survey.hub != Survey::Hub::none); }},
    };
}

/// A check that the system refuses is one that tells so.
Findings run_check(const Check& check) {
    try {
        return check.run();
    } catch (const std::exception& error) {
        return {doctor::note(check.area, std::string{"could not be checked: "} + error.what())};
    }
}

}  // namespace

int doctor_command(const Context& context, const Words& words) {
    bool as_json = false;
    Arguments arguments{
        "doctor",
        "Check what pp stands on, and say what to do: one line each, ok, note or problem. Starts no "
        "hub. Exits with 1 if there is a problem."};
    arguments.flag("--json", as_json,
                   "as JSON: {\"findings\": [{level, area, what, advice}], problems, notes}");
    arguments.parse(words);

    const auto survey = doctor::survey(context);
    const bool colours = may_colour(STDOUT_FILENO);
    Findings all;
    for (const auto& check : checks(context, survey)) {
        for (const auto& finding : run_check(check)) {
            if (!as_json) print(doctor::line_of(finding, colours));
            all.push_back(finding);
        }
    }
    if (as_json)
        print(json_text(doctor::json_of(all)) + "\n");
    return code(doctor::has_problem(all) ? Exit::failed : Exit::done);
}

}  // namespace pp::cli
