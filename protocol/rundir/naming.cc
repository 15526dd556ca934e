#include "protocol/rundir/naming.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

#include "protocol/ring/plain_text.h"
#include "protocol/rundir/nearest.h"

namespace pp::rundir {
namespace {

using Hits = std::vector<const Nameable*>;
using Fits = std::function<bool(const Nameable&)>;

constexpr std::size_t kMaxListed = 10;

int pid_of(const std::string& text) {
    int pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    return error == std::errc{} && end == text.data() + text.size() && pid > 0 ? pid : 0;
}

/// The ways of naming, the strongest first.
std::vector<Fits> ways(const Asked& asked) {
    const auto named = [&asked](const Nameable& one) { return one.name == asked.text; };
    const auto commanded = [&asked](const Nameable& one) { return one.command == asked.text; };
    return {
        [number = find_process_number(asked.text)](const Nameable& one) {
            return number && one.number == *number;
        },
        [pid = pid_of(asked.text)](const Nameable& one) {
            return pid != 0 && one.alive && one.main_pid == pid;
        },
        [&asked, named](const Nameable& one) {
            return named(one) && belongs_to(one.directory, one.project, asked.project);
        },
        named,
        [&asked](const Nameable& one) { return one.label == asked.text; },
        [&asked, commanded](const Nameable& one) {
            return commanded(one) && one.directory == asked.directory;
        },
        commanded,
    };
}

Hits settle(const Hits& hits) {
    Hits live;
    std::copy_if(hits.begin(), hits.end(), std::back_inserter(live),
                 [](const Nameable* one) { return one->alive; });
    if (!live.empty() || hits.empty()) return live;
    const bool one_project = std::all_of(
        hits.begin(), hits.end(), [&](const Nameable* one) { return one->project == hits.front()->project; });
    if (!one_project) return hits;
    return {*std::max_element(hits.begin(), hits.end(),
                              [](const Nameable* a, const Nameable* b) { return a->number < b->number; })};
}

/// One line, without what a terminal would obey.
std::string shown(const std::string& text) {
    ring::PlainText plain{{.fold_repeats = false}};
    std::string line;
    plain.feed(text, line);
    plain.finish(line);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return line;
}

std::string list_of(const Hits& hits) {
    std::string list;
    for (std::size_t i = 0; i < hits.size() && i < kMaxListed; ++i)
        list += "\n  " + process_id(hits[i]->number) + "  " + shown(hits[i]->name) + "  " +
                shown(hits[i]->command) + "  in " + shown(hits[i]->directory);
    return hits.size() <= kMaxListed ? list
                                     : list + "\n  and " + std::to_string(hits.size() - kMaxListed) + " more";
}

}  // namespace

Lookup look_up(const std::vector<const Nameable*>& all, const Asked& asked) {
    if (asked.text.empty()) return {};
    for (const auto& fits : ways(asked)) {
        Hits hits;
        std::copy_if(all.begin(), all.end(), std::back_inserter(hits),
                     [&](const Nameable* one) { return fits(*one); });
        if (!hits.empty()) return {settle(hits), {}};
    }
    std::vector<std::string> known;
    for (const Nameable* one : all) known.insert(known.end(), {one->name, process_id(one->number)});
    return {{}, find_nearest(asked.text, known)};
}

std::string refusal_text(const Lookup& lookup, const Asked& asked) {
    const auto text = shown(asked.text);
    if (!lookup.hits.empty())
        return "'" + text + "' could be several, name one by its id:" + list_of(lookup.hits);
    if (pid_of(asked.text) != 0) return "pid " + text + " is not the main process of anything that pp runs";
    return "there is no process '" + text + "'" +
           (lookup.nearest ? "; did you mean '" + shown(*lookup.nearest) + "'?"
                           : ", and none with a name like it");
}

bool lies_inside(const std::string& directory, const std::string& project) {
    if (project.empty() || !directory.starts_with(project)) return false;
    return directory.size() == project.size() || project == "/" || directory[project.size()] == '/';
}

bool belongs_to(const std::string& directory, const std::string& own_project,
                const std::string& callers_project) {
    return !callers_project.empty() &&
           (lies_inside(directory, callers_project) || own_project == callers_project);
}

}  // namespace pp::rundir
