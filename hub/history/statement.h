#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace pp::hub {

// SQLite as the store speaks it; for its .cc files alone.

/// What SQLite says of a database that failed: throws Store::Damaged or Store::Unavailable. Null: there was
/// no memory for it.
[[noreturn]] void fail(sqlite3* db, const char* operation);

/// SQLite's integers are signed.
inline std::int64_t stored(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

/// A prepared statement; binds in order, steps, reads columns in order.
class Statement {
  public:
    Statement(sqlite3* db, const char* sql) : db_{db} {
        if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) fail(db, "prepare");
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    template <class... Values>
    Statement& bind(const Values&... values) {
        int at = 0;
        (bind_one(++at, values), ...);
        return *this;
    }
    /// Runs it, and gives the first column of the first row.
    std::int64_t first_integer() {
        step();
        const auto value = integer(0);
        sqlite3_reset(statement_);
        return value;
    }
    bool step() {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        if (code == SQLITE_DONE) return false;
        fail(db_, "step");
    }
    /// Runs it once more, with what is bound next. True if a row was changed.
    bool run() {
        step();
        sqlite3_reset(statement_);
        return sqlite3_changes(db_) > 0;
    }
    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] bool is_null(int column) const {
        return sqlite3_column_type(statement_, column) == SQLITE_NULL;
    }
    [[nodiscard]] std::string text(int column) const {
        const unsigned char* bytes = sqlite3_column_text(statement_, column);
        return bytes == nullptr ? std::string{} : std::string{reinterpret_cast<const char*>(bytes)};
    }

  private:
    void bind_one(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
    void bind_one(int at, std::uint64_t value) { sqlite3_bind_int64(statement_, at, stored(value)); }
    void bind_one(int at, std::uint32_t value) { sqlite3_bind_int64(statement_, at, value); }
    void bind_one(int at, std::int32_t value) { sqlite3_bind_int64(statement_, at, value); }
    void bind_one(int at, const std::string& value) {
        sqlite3_bind_text(statement_, at, value.data(), static_cast<int>(value.size()),
                          nullptr);  // lives past the step
    }
    sqlite3* db_;
    sqlite3_stmt* statement_ = nullptr;
};

/// Rolls back unless committed.
class Transaction {
  public:
    explicit Transaction(sqlite3* db) : db_{db} {
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) fail(db, "begin");
    }
    ~Transaction() {
        if (!committed_) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit() {
        if (sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) fail(db_, "commit");
        committed_ = true;
    }

  private:
    sqlite3* db_;
    bool committed_ = false;
};

}  // namespace pp::hub
