#include "hub/process/table.h"

namespace pp::hub {

rundir::Lookup Table::find(const rundir::Asked& asked) const {
    std::vector<const Row*> all;
    for (const auto& [number, row] : rows_) all.push_back(&row);
    return rundir::look_up(all, asked);
}

const Row* Table::find_live_name(const std::string& project, const std::string& name) const {
    for (const auto& [number, row] : rows_) {
        if (row.alive && row.project == project && row.name == name) return &row;
    }
    return nullptr;
}

}  // namespace pp::hub
