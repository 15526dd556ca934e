#include "hub/process/table.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "hub/process/nearest.h"
#include "protocol/rundir/home.h"

namespace pp::hub {
namespace {

using Hits = std::vector<const Row*>;

int pid_of(const std::string& text) {
    int pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    return error == std::errc{} && end == text.data() + text.size() ? pid : 0;
}

/// The one that is meant where several hit: the live one; of finished ones the newest.
std::optional<Lookup> settle(const Hits& hits) {
    if (hits.empty()) return std::nullopt;
    Hits live;
    std::copy_if(hits.begin(), hits.end(), std::back_inserter(live),
                 [](const Row* row) { return row->alive; });
    if (live.empty()) return hits.back()->number;
    if (live.size() == 1) return live.front()->number;
    Ambiguous ambiguous;
    for (const Row* row : live) ambiguous.hits.push_back(row->number);
    return ambiguous;
}

}  // namespace

Lookup Table::find(const Asked& asked) const {
    const auto hits = [&](const std::function<bool(const Row&)>& fits) {
        Hits found;
        for (const auto& [number, row] : rows_) {
            if (fits(row)) found.push_back(&row);
        }
        return found;
    };
    if (const auto number = rundir::find_process_number(asked.text); number && rows_.contains(*number))
        return *number;
    if (const int pid = pid_of(asked.text); pid > 0) {
        if (const auto found = settle(hits([&](const Row& row) { return row.main_pid == pid; })))
            return *found;
    }
    const auto is_named = [&](const Row& row) { return row.name == asked.text; };
    const auto in_project = [&](const Row& row) {
        return !asked.project.empty() && row.project == asked.project;
    };
    if (const auto found = settle(hits([&](const Row& row) { return is_named(row) && in_project(row); })))
        return *found;
    if (const auto found = settle(hits(is_named))) return *found;
    if (const auto found = settle(hits([&](const Row& row) { return row.label == asked.text; })))
        return *found;
    const auto is_command = [&](const Row& row) { return row.command == asked.text; };
    const auto is_here = [&](const Row& row) { return row.directory == asked.directory; };
    if (const auto found = settle(hits([&](const Row& row) { return is_command(row) && is_here(row); })))
        return *found;
    if (const auto found = settle(hits(is_command))) return *found;

    std::vector<std::string> known;
    for (const auto& [number, row] : rows_) {
        known.push_back(row.name);
        known.push_back(rundir::process_id(number));
    }
    return NoneSuch{nearest(asked.text, known)};
}

const Row* Table::find_live_name(const std::string& project, const std::string& name) const {
    for (const auto& [number, row] : rows_) {
        if (row.alive && row.project == project && row.name == name) return &row;
    }
    return nullptr;
}

}  // namespace pp::hub
