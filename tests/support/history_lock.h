#pragma once

#include <sqlite3.h>

#include <stdexcept>
#include <string>

namespace pp::test {

/// Another program at work in a history: for as long as this lives, every write to it is refused.
class HistoryLock {
  public:
    explicit HistoryLock(const std::string& path) {
        if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK ||
            sqlite3_exec(db_, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error("the history cannot be locked: " + std::string{sqlite3_errmsg(db_)});
    }
    ~HistoryLock() {
        sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
        sqlite3_close(db_);
    }
    HistoryLock(const HistoryLock&) = delete;
    HistoryLock& operator=(const HistoryLock&) = delete;

  private:
    sqlite3* db_ = nullptr;
};

}  // namespace pp::test
