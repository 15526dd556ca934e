#include "hub/history/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hub/history/reserved_numbers.h"
#include "hub/history/statement.h"
#include "hub/token.h"
#include "hub/wall_clock.h"
#include "protocol/os/proc.h"

namespace pp::hub {
namespace {

constexpr int kBusyTimeoutMs = 250;  // others wait behind; what stays locked is tried again
// 1: the first. Tables that were added since are passed over by an earlier hub, which numbers its events by
// the highest `seq`.
constexpr int kSchemaVersion = 1;

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS processes(
    process INTEGER PRIMARY KEY, name TEXT, label TEXT, project TEXT, command TEXT, working_directory TEXT,
    owner_kind TEXT, owner_client TEXT, created_at INTEGER, cleared INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS events(
    seq INTEGER PRIMARY KEY, process INTEGER NOT NULL, number INTEGER NOT NULL, time INTEGER, kind INTEGER, run INTEGER,
    pid INTEGER, signal INTEGER, cursor INTEGER, exit_kind INTEGER, exit_value INTEGER, core_dumped INTEGER,
    stop_requested INTEGER, user_us INTEGER, system_us INTEGER, max_resident_kib INTEGER, descendants INTEGER,
    generation INTEGER, text TEXT, UNIQUE(process, number));
CREATE TABLE IF NOT EXISTS runs(
    process INTEGER NOT NULL, run INTEGER NOT NULL, pid INTEGER, started_at INTEGER, ended_at INTEGER, exit_kind INTEGER,
    exit_value INTEGER, core_dumped INTEGER, stop_requested INTEGER, user_us INTEGER, system_us INTEGER,
    max_resident_kib INTEGER, begin_cursor INTEGER, end_cursor INTEGER, PRIMARY KEY(process, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hub_events(
    seq INTEGER PRIMARY KEY, time INTEGER, kind INTEGER, process INTEGER, text TEXT);
CREATE TABLE IF NOT EXISTS numbering(only INTEGER PRIMARY KEY CHECK(only = 1), history INTEGER, next INTEGER);
CREATE TABLE IF NOT EXISTS hubs(epoch INTEGER, pid INTEGER, started_at INTEGER, version TEXT);
)sql";

}  // namespace

struct Store::State {
    sqlite3* db = nullptr;
    std::optional<ReservedNumbers> reserved;
    std::uint64_t next = 1;  ///< number that the next event gets
    bool is_new = false;

    /// Within a transaction that gives all below `until`; `next` follows when it is committed.
    void note_given(std::uint64_t until);
    ~State() { sqlite3_close(db); }

    void execute(const char* sql) const {
        if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(db, "execute");
    }
};

namespace {

/// Writes events down and numbers those that are new. `next` is borrowed.
class Recorder {
  public:
    Recorder(sqlite3* db, std::uint64_t& next)
        : next_{next},
          last_{db, "SELECT coalesce(max(number), 0) FROM events WHERE process = ?"},
          insert_{db,
                  "INSERT OR IGNORE INTO events(seq, process, number, time, kind, run, pid, signal, cursor, "
                  "exit_kind, exit_value,"
                  " core_dumped, stop_requested, user_us, system_us, max_resident_kib, descendants, "
                  "generation, text)"
                  " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
          begin_{
              db,
              "INSERT INTO runs(process, run, pid, started_at, exit_kind, begin_cursor) VALUES(?,?,?,?,0,?)"
              " ON CONFLICT(process, run) DO UPDATE SET pid = excluded.pid, started_at = excluded.started_at,"
              " begin_cursor = excluded.begin_cursor"},
          end_{db,
               "INSERT INTO runs(process, run, pid, ended_at, exit_kind, exit_value, core_dumped, "
               "stop_requested, user_us,"
               " system_us, max_resident_kib, end_cursor) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"
               " ON CONFLICT(process, run) DO UPDATE SET ended_at = excluded.ended_at, exit_kind = "
               "excluded.exit_kind,"
               " exit_value = excluded.exit_value, core_dumped = excluded.core_dumped,"
               " stop_requested = excluded.stop_requested, user_us = excluded.user_us, system_us = "
               "excluded.system_us,"
               " max_resident_kib = excluded.max_resident_kib, end_cursor = excluded.end_cursor"},
          hubs_own_{db, "INSERT INTO hub_events(seq, time, kind, process, text) VALUES(?,?,?,?,?)"} {}

    void operator()(const ShimEvent& told) {
        auto& known = known_up_to(told.process);
        if (told.event.number > known + 1)
            record_gap(told.process, known + 1, told.event.number, told.event.time_ns);
        record(told.process, told.event);
        known = std::max(known, told.event.number);
    }

    void operator()(const HubEvent& event) {
        hubs_own_
            .bind(next_, event.time_ns, static_cast<std::uint32_t>(event.kind), event.process, event.text)
            .run();
        ++next_;
    }

  private:
    void record(std::uint64_t process, const rundir::Event& event) {
        if (!insert(process, event)) return;
        switch (event.kind) {
            case rundir::EventKind::started:
                begin_.bind(process, event.run, event.pid, event.time_ns, event.cursor).run();
                return;
            case rundir::EventKind::start_failed:
                return end(process, event, ring::ExitKind::not_started);
            case rundir::EventKind::exited:
                return end(process, event, event.exit_kind);
            case rundir::EventKind::stop_requested:
            case rundir::EventKind::tree_gone:
            case rundir::EventKind::resized:
            case rundir::EventKind::drained:
            case rundir::EventKind::taken_over:
            case rundir::EventKind::capture_fault:
            case rundir::EventKind::input_closed:
                return;
        }
    }

    /// Numbers [from, to) will never be known.
    void record_gap(std::uint64_t process, std::uint64_t from, std::uint64_t to, std::int64_t time_ns) {
        rundir::Event gap;
        gap.number = from;
        gap.kind = kMissingEvents;
        gap.cursor = to - 1;
        gap.time_ns = time_ns;
        const std::string text = "missing up to event " + std::to_string(to - 1);
        text.copy(gap.text, sizeof gap.text - 1);
        insert(process, gap);
    }

    /// Highest number that stands here of a process.
    std::uint64_t& known_up_to(std::uint64_t process) {
        const auto [found, is_new] = known_.try_emplace(process, 0);
        if (is_new) found->second = static_cast<std::uint64_t>(last_.bind(process).first_integer());
        return found->second;
    }

    bool insert(std::uint64_t process, const rundir::Event& event) {
        const std::string text{event.text, ::strnlen(event.text, sizeof event.text)};
        const bool is_new =
            insert_
                .bind(next_, process, event.number, event.time_ns, static_cast<std::uint32_t>(event.kind),
                      event.run, event.pid, event.signal, event.cursor,
                      static_cast<std::uint32_t>(event.exit_kind), event.exit_value, event.core_dumped,
                      event.stop_requested, event.user_us, event.system_us, event.max_resident_kib,
                      event.descendants, event.generation, text)
                .run();
        if (is_new) ++next_;
        return is_new;
    }
    void end(std::uint64_t process, const rundir::Event& event, ring::ExitKind kind) {
        end_.bind(process, event.run, event.pid, event.time_ns, static_cast<std::uint32_t>(kind),
                  event.exit_value, event.core_dumped, event.stop_requested, event.user_us, event.system_us,
                  event.max_resident_kib, event.cursor)
            .run();
    }

    std::uint64_t& next_;
    std::map<std::uint64_t, std::uint64_t> known_;
    Statement last_;
    Statement insert_;
    Statement begin_;
    Statement end_;
    Statement hubs_own_;
};

rundir::Event event_of(const Statement& row, int first) {
    rundir::Event event;
    event.number = static_cast<std::uint64_t>(row.integer(first));
    event.time_ns = row.integer(first + 1);
    event.kind = static_cast<rundir::EventKind>(row.integer(first + 2));
    event.run = static_cast<std::uint32_t>(row.integer(first + 3));
    event.pid = static_cast<std::int32_t>(row.integer(first + 4));
    event.signal = static_cast<std::int32_t>(row.integer(first + 5));
    event.cursor = static_cast<std::uint64_t>(row.integer(first + 6));
    event.exit_kind = static_cast<ring::ExitKind>(row.integer(first + 7));
    event.exit_value = static_cast<std::int32_t>(row.integer(first + 8));
    event.core_dumped = static_cast<std::uint32_t>(row.integer(first + 9));
    event.stop_requested = static_cast<std::uint32_t>(row.integer(first + 10));
    event.descendants = static_cast<std::uint32_t>(row.integer(first + 11));
    event.generation = static_cast<std::uint32_t>(row.integer(first + 12));
    row.text(first + 13).copy(event.text, sizeof event.text - 1);
    return event;
}
// in the order in which event_of() reads them
#define PP_EVENT_COLUMNS                                                                \
    "number, time, kind, run, pid, signal, cursor, exit_kind, exit_value, core_dumped," \
    " stop_requested, descendants, generation, text"

HubEvent hub_event_of(const Statement& row, int process, int first) {
    return {static_cast<HubEventKind>(row.integer(first + 2)),
            static_cast<std::uint64_t>(row.integer(process)), row.integer(first + 1), row.text(first + 13)};
}

}  // namespace

Store::Store(const std::string& path, const std::string& reserved_path) : state_{std::make_unique<State>()} {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        throw Damaged("history: " + path + " is not a file");
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &state_->db, flags, nullptr) != SQLITE_OK) fail(state_->db, "open");
    sqlite3_busy_timeout(state_->db, kBusyTimeoutMs);
    state_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1000");
    const auto version = [this] {
        Statement asked{state_->db, "PRAGMA user_version"};
        asked.step();
        return asked.integer(0);
    }();
    if (version > kSchemaVersion)
        throw Damaged("history: it was made by a newer pp (schema " + std::to_string(version) + ")");
    state_->is_new = version == 0;
    state_->execute(kSchema);
    // what is there is not written again: so it can be read while another holds the lock for writing
    if (version != kSchemaVersion)
        state_->execute(("PRAGMA user_version = " + std::to_string(kSchemaVersion)).c_str());
    if (!Statement{state_->db, "SELECT 1 FROM numbering"}.step())
        Statement{state_->db, "INSERT INTO numbering VALUES(1, ?, 1)"}.bind(random_number()).run();
    Statement numbering{
        state_->db,
        "SELECT history, max(next, coalesce((SELECT max(seq) FROM events), 0) + 1) FROM numbering"};
    numbering.step();
    state_->reserved.emplace(reserved_path, static_cast<std::uint64_t>(numbering.integer(0)), os::boot_id());
    state_->next = state_->reserved->first_free(static_cast<std::uint64_t>(numbering.integer(1)));
}

Store::~Store() = default;

bool Store::is_new() const {
    return state_->is_new;
}

bool Store::is_gone() const {
    int moved = 0;
    return sqlite3_file_control(state_->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved != 0;
}

void Store::State::note_given(std::uint64_t until) {
    if (until == next) return;
    reserved->cover(until);
    Statement{db, "UPDATE numbering SET next = ?"}.bind(until).run();
}

void Store::record(const Events& events) {
    if (events.empty()) return;
    Transaction transaction{state_->db};
    auto next = state_->next;
    Recorder recorder{state_->db, next};
    for (const auto& event : events) std::visit(recorder, event);
    state_->note_given(next);
    transaction.commit();
    state_->next = next;
}

void Store::note_process(const rundir::Launch& launch) {
    Statement{state_->db,
              "INSERT OR REPLACE INTO processes(process, name, label, project, command, working_directory, "
              "owner_kind,"
              " owner_client, created_at) VALUES(?,?,?,?,?,?,?,?,?)"}
        .bind(launch.process, launch.name, launch.label, launch.project, launch.command,
              launch.working_directory, launch.owner_kind, launch.owner_client, launch.created_at_ns)
        .run();
}

void Store::note_hub(std::uint64_t epoch, int pid, std::int64_t time_ns, const std::string& version) {
    Statement{state_->db, "INSERT INTO hubs VALUES(?,?,?,?)"}.bind(epoch, pid, time_ns, version).run();
}

void Store::forget(std::uint64_t process, std::int64_t time_ns) {
    Transaction transaction{state_->db};
    auto next = state_->next;
    HubEvent cleared{HubEventKind::cleared, process, time_ns, {}};
    bool is_told =
        false;  // a hub was killed before it had removed the files, and the next one took them for a process
    {
        Statement noted{state_->db, "SELECT name, cleared FROM processes WHERE process = ?"};
        const bool is_noted = noted.bind(process).step();
        is_told = is_noted && noted.integer(1) != 0;
        if (is_noted) cleared.text = noted.text(0);
    }
    for (const char* drop : {"DELETE FROM events WHERE process = ?", "DELETE FROM runs WHERE process = ?"})
        Statement{state_->db, drop}.bind(process).run();
    Statement{state_->db, "INSERT OR REPLACE INTO processes(process, cleared) VALUES(?, 1)"}
        .bind(process)
        .run();
    if (!is_told) {
        Statement{state_->db, "DELETE FROM hub_events WHERE process = ?"}.bind(process).run();
        Recorder{state_->db, next}(cleared);
    }
    state_->note_given(next);
    transaction.commit();
    state_->next = next;
}

std::map<std::uint64_t, std::uint64_t> Store::last_events(std::uint64_t up_to) const {
    std::map<std::uint64_t, std::uint64_t> last;
    Statement all{state_->db, "SELECT process, max(number) FROM events WHERE seq <= ? GROUP BY process"};
    all.bind(std::min<std::uint64_t>(up_to, INT64_MAX));
    while (all.step())
        last[static_cast<std::uint64_t>(all.integer(0))] = static_cast<std::uint64_t>(all.integer(1));
    return last;
}

std::uint64_t Store::last_event(std::uint64_t process) const {
    Statement last{state_->db, "SELECT coalesce(max(number), 0) FROM events WHERE process = ?"};
    last.bind(process).step();
    return static_cast<std::uint64_t>(last.integer(0));
}

std::uint64_t Store::highest_process() const {
    Statement highest{state_->db,
                      "SELECT max((SELECT coalesce(max(process), 0) FROM processes),"
                      " (SELECT coalesce(max(process), 0) FROM events))"};
    highest.step();
    return static_cast<std::uint64_t>(highest.integer(0));
}

std::vector<RunRecord> Store::runs(std::uint64_t process, int limit) const {
    std::vector<RunRecord> found;
    Statement rows{
        state_->db,
        "SELECT run, pid, started_at, ended_at, exit_kind, exit_value, core_dumped, stop_requested, user_us,"
        " system_us, max_resident_kib, begin_cursor, end_cursor FROM runs WHERE process = ?"
        " ORDER BY run DESC LIMIT ?"};
    rows.bind(process, limit);
    const auto cursor = [&](int column) -> std::optional<std::uint64_t> {
        if (rows.is_null(column)) return std::nullopt;
        return static_cast<std::uint64_t>(rows.integer(column));
    };
    while (rows.step()) {
        RunRecord run;
        run.run = static_cast<std::uint32_t>(rows.integer(0));
        run.pid = static_cast<int>(rows.integer(1));
        run.started_at_ns = rows.integer(2);
        run.ended_at_ns = rows.integer(3);
        run.exit_kind = static_cast<ring::ExitKind>(rows.integer(4));
        run.exit_value = static_cast<int>(rows.integer(5));
        run.core_dumped = rows.integer(6) != 0;
        run.stop_requested = rows.integer(7) != 0;
        run.user_us = static_cast<std::uint64_t>(rows.integer(8));
        run.system_us = static_cast<std::uint64_t>(rows.integer(9));
        run.max_resident_kib = static_cast<std::uint64_t>(rows.integer(10));
        run.begin_cursor = cursor(11);
        run.end_cursor = cursor(12);
        found.push_back(run);
    }
    return found;
}

std::vector<rundir::Event> Store::events(std::uint64_t process, int limit) const {
    std::vector<rundir::Event> found;
    Statement rows{state_->db,
                   "SELECT " PP_EVENT_COLUMNS " FROM events WHERE process = ? ORDER BY number DESC LIMIT ?"};
    rows.bind(process, limit);
    while (rows.step()) found.push_back(event_of(rows, 0));
    return found;
}

namespace {

/// What shims told and what the hub saw, by number.
class EventScan {
  public:
    enum class Order { ascending, descending };

    EventScan(sqlite3* db, const EventQuery& query, Order order)
        : query_{query}, rows_{db, text(query, order).c_str()} {
        const auto since_time = query.since_time_ns.value_or(INT64_MIN);
        if (query.process)
            rows_.bind(query.since, since_time, *query.process);
        else
            rows_.bind(query.since, since_time);
    }

    /// The next one that fits.
    std::optional<NumberedEvent> next() {
        while (rows_.step()) {
            NumberedEvent found{static_cast<std::uint64_t>(rows_.integer(0)), {}};
            if (rows_.integer(1) != 0)
                found.event = hub_event_of(rows_, 2, 3);
            else
                found.event = ShimEvent{static_cast<std::uint64_t>(rows_.integer(2)), event_of(rows_, 3)};
            if (!query_.wanted || query_.wanted(found.event)) return found;
        }
        return std::nullopt;
    }

  private:
    static std::string text(const EventQuery& query, Order order) {
        const std::string where =
            std::string{" WHERE seq > ?1 AND time >= ?2"} + (query.process ? " AND process = ?3" : "");
        return "SELECT seq, 0, process, " PP_EVENT_COLUMNS " FROM events" + where +
               " UNION ALL SELECT seq, 1, process, 0, time, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, text FROM "
               "hub_events" +
               where + " ORDER BY seq" + (order == Order::ascending ? "" : " DESC");
    }

    const EventQuery& query_;
    Statement rows_;
};

}  // namespace

EventPage Store::find_events(const EventQuery& query) const {
    EventQuery rest = query;
    if (query.last) {
        EventScan newest{state_->db, query, EventScan::Order::descending};
        auto first = state_->next;
        for (std::size_t i = 0; i < *query.last; ++i) {
            const auto found = newest.next();
            if (!found) break;
            first = found->number;
        }
        rest.since = first - 1;
    }
    EventPage page;
    page.newest = newest_number();
    EventScan scan{state_->db, rest, EventScan::Order::ascending};
    while (auto found = scan.next()) {
        page.more = page.events.size() == query.limit;
        if (page.more) break;
        page.events.push_back(std::move(*found));
    }
    page.number = page.more ? page.events.back().number : std::max(query.since, page.newest);
    if (query.with_seen) page.seen = last_events(page.number);
    return page;
}

std::uint64_t Store::newest_number() const {
    return state_->next - 1;
}

std::optional<std::string> move_aside(const std::string& path, std::int64_t now_ns) {
    const std::string aside = path + ".damaged-" + std::to_string(now_ns / 1'000'000'000);
    if (std::rename(path.c_str(), aside.c_str()) != 0) return std::nullopt;
    for (const char* part : {"-wal", "-shm"}) std::rename((path + part).c_str(), (aside + part).c_str());
    return aside;
}

}  // namespace pp::hub
