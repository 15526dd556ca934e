#include "hub/process/ensure.h"

#include "protocol/ring/format.h"

namespace pp::hub {

std::uint64_t log_capacity_of(const rundir::Launch& launch) {
    return ring::Geometry::for_capacity(launch.log_capacity == 0 ? ring::kDefaultCapacity : launch.log_capacity)
        .capacity;
}

std::vector<std::string> differences(const Wanted& wanted, const rundir::Launch& launch) {
    std::vector<std::string> found;
    const auto compare = [&](const char* what, const auto& given, const auto& has) {
        if (given && *given != has) found.emplace_back(what);
    };
    if (wanted.argv != launch.argv) found.emplace_back("command");
    if (wanted.directory != launch.working_directory) found.emplace_back("working_directory");
    compare("name", wanted.name, launch.name);
    compare("label", wanted.label, launch.label);
    compare("mode", wanted.mode, launch.mode);
    compare("rows", wanted.rows, launch.rows);
    compare("cols", wanted.columns, launch.columns);
    compare("streams", wanted.streams, launch.streams);
    compare("stdin", wanted.stdin_mode, launch.stdin_mode);
    compare("log size", wanted.log_capacity, log_capacity_of(launch));
    for (const auto& [name, value] : wanted.environment) {
        const auto has = launch.environment.find(name);
        if (has == launch.environment.end() || has->second != value) found.push_back("environment " + name);
    }
    return found;
}

}  // namespace pp::hub
