#include "cli/doctor/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/output/print.h"
#include "cli/output/style.h"

namespace pp::cli::doctor {
namespace {

using nlohmann::json;

Colour colour_of(Level level) {
    switch (level) {
        case Level::ok:
            return Colour::green;
        case Level::note:
            return Colour::yellow;
        case Level::problem:
            return Colour::red;
    }
    return Colour::none;
}

std::size_t count(const Findings& findings, Level level) {
    return static_cast<std::size_t>(std::count_if(
        findings.begin(), findings.end(), [&](const Finding& finding) { return finding.level == level; }));
}

}  // namespace

Finding fine(std::string area, std::string what) {
    return {Level::ok, std::move(area), std::move(what), {}};
}

Finding note(std::string area, std::string what, std::string advice) {
    return {Level::note, std::move(area), std::move(what), std::move(advice)};
}

Finding problem(std::string area, std::string what, std::string advice) {
    return {Level::problem, std::move(area), std::move(what), std::move(advice)};
}

std::string level_name(Level level) {
    switch (level) {
        case Level::ok:
            return "ok";
        case Level::note:
            return "note";
        case Level::problem:
            return "problem";
    }
    return "?";
}

bool has_problem(const Findings& findings) {
    return count(findings, Level::problem) > 0;
}

std::string line_of(const Finding& finding, bool colours) {
    const auto level = level_name(finding.level);
    std::string line = coloured(level, colour_of(finding.level), colours) +
                       std::string(9 - level.size(), ' ') + finding.area + ": " + printable(finding.what);
    if (!finding.advice.empty()) line += " — " + printable(finding.advice);
    return line + "\n";
}

json json_of(const Findings& findings) {
    json list = json::array();
    for (const auto& finding : findings)
        list.push_back({{"level", level_name(finding.level)},
                        {"area", finding.area},
                        {"what", printable(finding.what)},
                        {"advice", finding.advice.empty() ? json{} : json(printable(finding.advice))}});
    return {{"findings", list},
            {"problems", count(findings, Level::problem)},
            {"notes", count(findings, Level::note)}};
}

}  // namespace pp::cli::doctor
