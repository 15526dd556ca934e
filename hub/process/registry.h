#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hub/process/table.h"
#include "hub/shims/subscription.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

/// What the hub knows of all processes: their files as last read, and the table made of them. The files are
/// the truth; they are read again whenever something is told of a process.
class Registry {
  public:
    explicit Registry(const rundir::Home& home) : home_{home} {}

    /// Reads a process's files, and takes it up if it is new.
    const rundir::ProcessFiles& refresh(std::uint64_t number);
    void forget(std::uint64_t number);
    /// Its number is not given again: what is still told of it is told too late.
    [[nodiscard]] bool has_forgotten(std::uint64_t number) const { return forgotten_.contains(number); }

    [[nodiscard]] bool knows(std::uint64_t number) const { return files_.contains(number); }
    [[nodiscard]] std::vector<std::uint64_t> numbers() const;
    /// As last read.
    [[nodiscard]] const rundir::ProcessFiles& files(std::uint64_t number) const { return files_.at(number); }
    /// With the state page read just now; the rest as last read.
    const rundir::ProcessFiles& look(std::uint64_t number);
    [[nodiscard]] const Table& table() const { return table_; }

    /// A start is under way: it counts as alive, so that nobody starts it twice.
    void set_beginning(std::uint64_t number, bool beginning);
    [[nodiscard]] bool is_beginning(std::uint64_t number) const { return beginning_.contains(number); }

    /// Empty, or why nobody can tell whether a process lives: its page is damaged, or does not fit the shim that holds
    /// its lock. Damage is not an end.
    [[nodiscard]] std::string doubt(const rundir::ProcessFiles& files) const;
    /// Of one in doubt, when it was last refreshed: something that carries its mark lives.
    [[nodiscard]] bool is_marked(std::uint64_t number) const { return marked_.contains(number); }

    /// Calls whenever refresh() has read this process.
    Subscription on_change(std::uint64_t number, std::function<void()> callback);

  private:
    void put_row(const rundir::ProcessFiles& files);

    rundir::Home home_;
    std::map<std::uint64_t, rundir::ProcessFiles> files_;
    std::map<std::uint64_t, int> beginning_;
    std::set<std::uint64_t> forgotten_;
    std::set<std::uint64_t> marked_;
    std::map<std::uint64_t, std::map<std::uint64_t, std::function<void()>>> callbacks_;
    std::uint64_t next_id_ = 1;
    Table table_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// A run that has begun and whose main has not ended.
bool has_live_main(const rundir::ProcessFiles& files);

}  // namespace pp::hub
