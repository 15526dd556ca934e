#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/rundir/naming.h"

namespace pp::hub {

using Row = rundir::Nameable;

/// All processes that are known, live and finished, by what they can be found by (pure).
class Table {
  public:
    void put(Row row) { rows_[row.number] = std::move(row); }
    void erase(std::uint64_t number) { rows_.erase(number); }
    [[nodiscard]] const std::map<std::uint64_t, Row>& rows() const { return rows_; }

    /// The hits point into the table.
    [[nodiscard]] rundir::Lookup find(const rundir::Asked& asked) const;

    /// A live process of this project with this name.
    [[nodiscard]] const Row* find_live_name(const std::string& project, const std::string& name) const;

  private:
    std::map<std::uint64_t, Row> rows_;
};

}  // namespace pp::hub
