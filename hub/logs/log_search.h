#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "hub/logs/excerpts.h"
#include "hub/logs/found_page.h"
#include "hub/logs/log_scan.h"
#include "protocol/ring/query.h"

namespace pp::hub {

/// What is looked for in the log of one process.
struct LogQuery {
    std::int64_t run = -1;  ///< as in ring::Query
    ring::StreamChoice stream = ring::StreamChoice::combined;
    std::optional<std::int64_t> since_ns;  ///< lines that ended in what was taken at that time or later
    std::optional<std::uint64_t> cursor;   ///< lines that end behind it
    std::size_t context_lines = 0;
    std::optional<std::uint64_t> head;  ///< only so many first ones are shown; 0: all are only counted
    std::optional<std::uint64_t> tail;  ///< and so many last ones
    std::size_t max_chars = ring::kDefaultCharacters;  ///< that lines take in a FoundPage
};

/// How long a search may take.
struct SearchPatience {
    std::chrono::steady_clock::time_point whole = std::chrono::steady_clock::time_point::max();
    /// Once there is no room for more lines and the rest is only counted.
    std::chrono::steady_clock::duration counting = std::chrono::seconds{2};
};

/// Matching lines that are not shown, and between which cursors they lie.
struct LeftOut {
    std::uint64_t matches = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct LogMatches {
    std::uint32_t run = 0;  ///< 0: the process has had none yet
    bool merged = false;
    std::uint64_t matches = 0;  ///< lines in what was searched: all of it, unless `unsearched_bytes`
    std::uint64_t shown = 0;    ///< of them
    std::vector<FoundLine> lines;
    std::optional<LeftOut> left_out;
    std::uint64_t cursor = 0;      ///< to go on from
    bool more = false;             ///< behind `cursor` lie matching lines that were not shown, or what was not searched
    std::uint64_t unsearched_bytes = 0;
    std::uint64_t lost_bytes = 0;  ///< of what was searched; exact, as in ring::Answer
};

/// Searches one run of a process's log and keeps what is shown of it.
///
/// With `cursor` or `head` (and no `tail`) it is the first lines that are shown, and `cursor` of the answer goes on behind them.
/// With `tail` it is the last ones, else the first and the last ones, within the budget of characters. Either way all is
/// searched and counted, as far as patience goes.
class LogSearch {
  public:
    /// Throws ring::QueryRefused, and what Reader throws. The matcher is borrowed.
    LogSearch(ring::Reader reader, LineMatcher& matcher, const LogQuery& query, SearchPatience patience);
    LogSearch(const LogSearch&) = delete;
    LogSearch& operator=(const LogSearch&) = delete;

    /// Looks through some hundred KiB. False: that was all, or patience is at its end.
    bool step();
    /// What was found; once.
    LogMatches take();

  private:
    [[nodiscard]] LogScan::Stretch find_stretch();
    [[nodiscard]] bool begins_line();
    [[nodiscard]] FoundPage::Limits first_limits() const;
    [[nodiscard]] bool is_forward() const { return !query_.tail && (query_.cursor || query_.head); }
    [[nodiscard]] bool only_counts() const { return query_.head == 0 && !query_.tail; }
    void on_hit(const Hit& hit);
    std::deque<Hit>::iterator first_of_last();
    void show_last();
    [[nodiscard]] bool out_of_patience();

    ring::Reader reader_;
    LogQuery query_;
    SearchPatience patience_;
    ring::RunStretch run_;
    LogMatches found_;
    LogScan::Stretch stretch_;
    Excerpts excerpts_;
    FoundPage page_;
    LogScan scan_;
    std::vector<Hit> hits_;  ///< of one step
    std::deque<Hit> last_;   ///< hits behind the first that are shown, as many as may be shown
    std::optional<std::chrono::steady_clock::time_point> counting_since_;
};

}  // namespace pp::hub
