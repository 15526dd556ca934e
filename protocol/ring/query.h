#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/ring/reader.h"
#include "protocol/ring/tail.h"

namespace pp::ring {

// The one way in which a log is asked, by CLI, tools and dialects. For whole logs and for following, see Tail.

inline constexpr std::size_t kDefaultCharacters = 16'000;
inline constexpr std::size_t kMaxCharacters = 400'000;
/// Lines before and behind one that was searched for.
inline constexpr std::int64_t kMaxContextLines = 50;

struct Query {
    /// From there forward, over all runs; only what `run` names if that is not -1.
    std::optional<std::uint64_t> cursor;
    /// Without a cursor the last so many lines, with one the first. Counted before equal lines are folded.
    std::optional<std::uint64_t> lines;
    std::optional<std::int64_t> since_ns;   ///< chunks taken at that time or later
    std::optional<std::int64_t> before_ns;  ///< chunks taken before
    std::int64_t run = -1;  ///< a run's number, or -1 for the newest, -2 for the one before it, …
    StreamChoice stream = StreamChoice::combined;
    std::size_t max_chars = kDefaultCharacters;  ///< characters of plain text, bytes of raw; at most kMaxCharacters
    bool raw = false;
    std::optional<std::uint64_t> until;  ///< nothing from this cursor on
};

/// Over the budget, a query with a cursor stops, at a line's end if there is one, and `more` is set: to read on from
/// `cursor` loses nothing. A query without one keeps head and tail with `… N lines (cursor A..B) …` between.
struct Answer {
    std::string text;  ///< UTF-8 unless raw; the last line may be unfinished and then has no newline
    std::uint64_t begin = 0;       ///< cursor of its first byte
    std::uint64_t cursor = 0;      ///< where to go on
    std::uint64_t lost_bytes = 0;  ///< wanted and in nobody's hands any more; exact. What a filter cannot judge any more, because
                                   ///< the descriptors are overwritten too, counts as wanted
    bool more = false;             ///< there is more behind `cursor` now
    std::uint32_t run = 0;         ///< the run asked for; with a cursor, the last one that was met. 0: none yet
    bool merged = false;           ///< its stdout and stderr were one pipe or terminal
    bool cut = false;              ///< lines in the middle were left out:
    std::uint64_t cut_begin = 0;
    std::uint64_t cut_end = 0;
    std::uint64_t cut_lines = 0;
    std::uint64_t replaced_bytes = 0;  ///< that were not UTF-8; 0 if raw
};

/// The question cannot be answered as it was put; what() says why, and what would be right, for a person.
class QueryRefused : public std::runtime_error {
  public:
    enum class Why { unknown_run, merged_run };
    QueryRefused(Why why, const std::string& what, std::vector<std::uint32_t> known = {})
        : std::runtime_error{what}, why_{why}, runs_{std::move(known)} {}

    [[nodiscard]] Why why() const { return why_; }
    /// Runs of which something is known, ascending.
    [[nodiscard]] const std::vector<std::uint32_t>& runs() const { return runs_; }

  private:
    Why why_;
    std::vector<std::uint32_t> runs_;
};

/// Throws QueryRefused; and what Reader throws.
Answer query(Reader& reader, const Query& query);

/// The stretch of a run, for Tail: its own chunks lie in [begin, end), others' may too.
struct RunStretch {
    std::uint32_t run = 0;  ///< 0: the process has had no run yet
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< the tail, for the newest
    bool newest = false;
    bool merged = false;
};
/// `run` as in Query. Throws QueryRefused if nothing of it is known, or its streams are asked for and it was merged.
RunStretch find_run(Reader& reader, std::int64_t run, StreamChoice stream = StreamChoice::combined);

/// Where that begins, within [begin, end), which was taken at `since_ns` or later. What is lost before it, and may be of that
/// time, is added to `lost`.
std::uint64_t find_since(Reader& reader, std::int64_t since_ns, const Selection& selection, std::uint64_t begin,
                         std::uint64_t end, std::uint64_t& lost);

/// Runs of which something is known, ascending.
std::vector<std::uint32_t> known_runs(Reader& reader);

}  // namespace pp::ring
