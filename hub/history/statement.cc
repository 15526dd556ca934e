#include "hub/history/statement.h"

#include "hub/history/store.h"

namespace pp::hub {

void fail(sqlite3* db, const char* operation) {
    const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_errcode(db);
    const std::string text =
        std::string{"history: "} + operation + ": " + (db == nullptr ? "out of memory" : sqlite3_errmsg(db));
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_SCHEMA:
        case SQLITE_ERROR:
            throw Store::Damaged(text);  // ERROR: tables that are not ours
        default:
            throw Store::Unavailable(text);
    }
}

}  // namespace pp::hub
