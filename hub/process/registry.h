#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hub/process/kept_pages.h"
#include "hub/process/process_text.h"
#include "hub/process/table.h"
#include "hub/shims/subscription.h"
#include "protocol/rundir/process_files.h"

namespace pp::hub {

/// What the hub knows of all processes: their files as last read, and the table made of them. The files are
/// the truth; they are read again whenever something is told of a process.
class Registry {
  public:
    /// Keeps at most so many state pages open.
    Registry(const rundir::Home& home, std::size_t most_pages) : home_{home}, pages_{home, most_pages} {}

    /// Reads a process's files, and takes it up if it is new.
    const rundir::ProcessFiles& refresh(std::uint64_t number);
    void forget(std::uint64_t number);
    /// Its number is not given again: what is still told of it is told too late.
    [[nodiscard]] bool has_forgotten(std::uint64_t number) const { return forgotten_.contains(number); }

    [[nodiscard]] bool knows(std::uint64_t number) const { return known_.contains(number); }
    [[nodiscard]] std::vector<std::uint64_t> numbers() const;
    /// As last read.
    [[nodiscard]] const rundir::ProcessFiles& files(std::uint64_t number) const { return known_.at(number).files; }
    /// With the state page read just now; the rest as last read.
    const rundir::ProcessFiles& look(std::uint64_t number);
    /// The same of all.
    void look_at_all();
    /// How that is told which was last read.
    const ProcessText& text(std::uint64_t number);
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
    struct Known {
        rundir::ProcessFiles files;
        KeptPages::Page page;
        std::optional<ProcessText> text;  ///< until something else is read
    };

    void look_at_page(Known& known);
    void glance_at_page(Known& known);
    void on_read(Known& known);
    void put_row(const rundir::ProcessFiles& files);

    rundir::Home home_;
    KeptPages pages_;
    std::map<std::uint64_t, Known> known_;
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
