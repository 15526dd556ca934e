#include "cli/target.h"

#include <algorithm>
#include <iterator>

#include "cli/failure.h"
#include "cli/hub_client.h"
#include "cli/output/print.h"
#include "protocol/rundir/naming.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {

bool is_live(const rundir::ProcessFiles& files) {
    // a page of this boot whose last word is "running" is believed without a shim too, while the child outlives it
    if (files.main_is_gone) return false;
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

namespace {

rundir::Nameable nameable_of(const rundir::ProcessFiles& files) {
    rundir::Nameable one;
    one.number = files.number;
    one.alive = is_live(files);
    one.main_pid = one.alive ? files.lifecycle().main_pid : 0;
    if (!files.launch) return one;
    one.name = files.launch->name;
    one.label = files.launch->label;
    one.project = files.launch->project;
    one.directory = files.launch->working_directory;
    one.command = files.launch->command;
    return one;
}

}  // namespace

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
    std::vector<rundir::Nameable> nameable;
    std::transform(all.begin(), all.end(), std::back_inserter(nameable), nameable_of);
    std::vector<const rundir::Nameable*> named;
    for (const auto& one : nameable) named.push_back(&one);
    const rundir::Asked asked{text, rundir::project_of(context.working_directory), context.working_directory};
    const auto lookup = rundir::look_up(named, asked);
    if (lookup.hits.size() != 1)
        throw Failure{lookup.hits.empty() ? Exit::not_found : Exit::ambiguous,
                      rundir::refusal_text(lookup, asked)};
    return std::move(all[static_cast<std::size_t>(lookup.hits.front() - nameable.data())]);
}

rundir::ProcessFiles find_watched_target(const Context& context, const std::string& text) {
    auto files = find_target(context, text);
    if (!files.is_unattended()) return files;
    find_or_start_hub(context);
    return rundir::read_process_files(context.home, files.number);
}

std::string spoken_name(const rundir::ProcessFiles& files) {
    const std::string id = rundir::process_id(files.number);
    return files.launch && !files.launch->name.empty() ? printable(files.launch->name) + " (" + id + ")" : id;
}

}  // namespace pp::cli
