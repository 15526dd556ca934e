#include "cli/target.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

#include "cli/failure.h"
#include "cli/nearest.h"
#include "cli/output/print.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using Hits = std::vector<std::size_t>;
using Fits = std::function<bool(const Candidate&)>;

std::optional<int> find_pid(const std::string& text) {
    int pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && pid > 0 ? std::optional{pid} : std::nullopt;
}

Hits all_that(const std::vector<Candidate>& candidates, const Fits& fits) {
    Hits hits;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (fits(candidates[i])) hits.push_back(i);
    }
    return hits;
}

/// Of several: the live ones; without one, the newest.
Hits settle(const std::vector<Candidate>& candidates, const Hits& hits) {
    Hits live;
    std::copy_if(hits.begin(), hits.end(), std::back_inserter(live),
                 [&](std::size_t i) { return candidates[i].live; });
    if (!live.empty() || hits.empty()) return live;
    return {*std::max_element(hits.begin(), hits.end(), [&](std::size_t a, std::size_t b) {
        return candidates[a].number < candidates[b].number;
    })};
}

/// The ways of naming, the strongest first.
std::vector<Fits> ways(const Asked& asked) {
    const auto number = rundir::find_process_number(asked.text);
    const auto pid = find_pid(asked.text);
    const auto named = [asked](const Candidate& one) { return one.name == asked.text; };
    const auto commanded = [asked](const Candidate& one) { return one.command == asked.text; };
    return {
        [number](const Candidate& one) { return number && one.number == *number; },
        [pid](const Candidate& one) { return pid && one.live && one.main_pid == *pid; },
        [=](const Candidate& one) { return named(one) && one.project == asked.project; },
        named,
        [=](const Candidate& one) { return one.label == asked.text; },
        [=](const Candidate& one) { return commanded(one) && one.working_directory == asked.directory; },
        commanded,
    };
}

std::string list_of(const std::vector<Candidate>& candidates, const Hits& hits) {
    std::string list;
    for (const auto i : hits) {
        const Candidate& one = candidates[i];
        list += "\n  " + rundir::process_id(one.number) + "  " + printable(one.name) + "  " +
                printable(one.command) + "  in " + printable(one.working_directory);
    }
    return list;
}

bool lies_inside(const std::string& directory, const std::string& project) {
    if (!directory.starts_with(project)) return false;
    return directory.size() == project.size() || project == "/" || directory[project.size()] == '/';
}

}  // namespace

Lookup look_up(const std::vector<Candidate>& candidates, const Asked& asked) {
    if (asked.text.empty()) return {};
    for (const auto& way : ways(asked)) {
        if (auto hits = settle(candidates, all_that(candidates, way)); !hits.empty())
            return {std::move(hits), {}};
    }
    std::vector<std::string> known;
    for (const auto& one : candidates) known.insert(known.end(), {one.name, rundir::process_id(one.number)});
    return {{}, find_nearest(asked.text, known)};
}

bool is_live(const rundir::ProcessFiles& files) {
    // a page of this boot whose last word is "running" is believed without a shim too: the child may have
    // outlived it
    switch (files.lifecycle().state) {
        case ring::LifeState::starting:
        case ring::LifeState::building:
        case ring::LifeState::running:
        case ring::LifeState::stopping:
        case ring::LifeState::backoff:
            return true;
        case ring::LifeState::none:
            return files.held;
        case ring::LifeState::finished:
            return false;
    }
    return false;
}

Candidate candidate_of(const rundir::ProcessFiles& files) {
    Candidate candidate;
    candidate.number = files.number;
    candidate.live = is_live(files);
    candidate.main_pid = candidate.live ? files.lifecycle().main_pid : 0;
    if (!files.launch) return candidate;
    candidate.name = files.launch->name;
    candidate.label = files.launch->label;
    candidate.command = files.launch->command;
    candidate.working_directory = files.launch->working_directory;
    candidate.project = files.launch->project;
    return candidate;
}

std::vector<rundir::ProcessFiles> read_all_processes(const rundir::Home& home) {
    std::vector<rundir::ProcessFiles> all;
    for (const auto number : home.known_processes()) all.push_back(rundir::read_process_files(home, number));
    return all;
}

rundir::ProcessFiles find_target(const Context& context, const std::string& text) {
    if (const auto number = rundir::find_process_number(text)) {  // an id needs no look at the others
        auto files = rundir::read_process_files(context.home, *number);
        if (files.launch || files.state || files.final_record) return files;
    }
    auto all = read_all_processes(context.home);
    const auto project = rundir::project_of(context.working_directory);
    std::vector<Candidate> candidates;
    for (const auto& files : all) {
        candidates.push_back(candidate_of(files));
        if (lies_inside(candidates.back().working_directory, project)) candidates.back().project = project;
    }
    const auto lookup = look_up(candidates, {text, project, context.working_directory});
    if (lookup.hits.size() == 1) return std::move(all[lookup.hits.front()]);
    if (lookup.hits.empty()) {
        const std::string hint = lookup.nearest ? "; did you mean '" + printable(*lookup.nearest) + "'?"
                                                : "; 'pp ls --all' lists those there are";
        throw Failure{Exit::not_found, "there is no process '" + printable(text) + "'" + hint};
    }
    throw Failure{Exit::ambiguous, "'" + printable(text) + "' could be several, name one by its id:" +
                                       list_of(candidates, lookup.hits)};
}

std::string spoken_name(const rundir::ProcessFiles& files) {
    const std::string id = rundir::process_id(files.number);
    return files.launch && !files.launch->name.empty() ? printable(files.launch->name) + " (" + id + ")" : id;
}

}  // namespace pp::cli
