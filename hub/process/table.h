#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pp::hub {

/// What a process can be found by.
struct Row {
    std::uint64_t number = 0;  ///< of `p12`
    std::string name;
    std::string label;
    std::string project;
    std::string directory;
    std::string command;
    bool alive = false;  ///< its main lives, or is about to
    int main_pid = 0;    ///< 0 unless main lives
};

/// How a caller names a process.
struct Asked {
    std::string text;       ///< id, pid, name, label or command
    std::string project;    ///< the caller's; empty: none
    std::string directory;  ///< the caller's; decides between equal commands; empty: none
};

struct Ambiguous {
    std::vector<std::uint64_t> hits;
};
struct NoneSuch {
    std::optional<std::string> nearest;  ///< the known name or label that was probably meant
};
using Lookup = std::variant<std::uint64_t, Ambiguous, NoneSuch>;

/// All processes that are known, live and finished, by what they can be found by (pure).
class Table {
  public:
    void put(Row row) { rows_[row.number] = std::move(row); }
    void erase(std::uint64_t number) { rows_.erase(number); }
    [[nodiscard]] const std::map<std::uint64_t, Row>& rows() const { return rows_; }

    /// id → live main pid → name in the caller's project → name anywhere → label → exact command. Never by a
    /// part of a word. Where several hit, a live one goes before finished ones, and of those the newest
    /// counts.
    [[nodiscard]] Lookup find(const Asked& asked) const;

    /// A live process of this project with this name.
    [[nodiscard]] const Row* find_live_name(const std::string& project, const std::string& name) const;

  private:
    std::map<std::uint64_t, Row> rows_;
};

}  // namespace pp::hub
