// What may become of history.db: it is locked for long, damaged, removed. No process is lost with it, and what the
// processes' own files tell is in the new one.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include "protocol/os/read_file.h"
#include "tests/support/history_lock.h"
#include "tests/support/installation.h"

using namespace pp;
using Catch::Matchers::Contains;
using nlohmann::json;
using test::Installation;

namespace {

std::string problem(Installation& pp) {
    const auto said = pp.pp_json({"hub", "status"})["history_problem"];
    return said.is_null() ? "" : said.get<std::string>();
}

void overwrite(const std::string& path, std::uint64_t from, std::uint64_t to) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    std::mt19937 random{7};
    std::string garbage(std::min<std::uint64_t>(to, static_cast<std::uint64_t>(status.st_size)) - from, '\0');
    for (char& byte : garbage) byte = static_cast<char>(random());
    const os::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    REQUIRE(::pwrite(file.get(), garbage.data(), garbage.size(), static_cast<off_t>(from)) ==
            static_cast<ssize_t>(garbage.size()));
}

struct Harm {
    const char* what;
    void (*harm)(const std::string& path);
    bool is_kept;  ///< the damaged file must lie aside
};
const Harm kHarms[] = {
    {"header", [](const std::string& path) { overwrite(path, 0, 100); }, true},
    {"all but the header", [](const std::string& path) { overwrite(path, 100, UINT64_MAX); }, true},
    {"write-ahead log", [](const std::string& path) { overwrite(path + "-wal", 0, UINT64_MAX); }, false},
    {"cut short", [](const std::string& path) { REQUIRE(::truncate(path.c_str(), 5000) == 0); }, true},
    {"emptied", [](const std::string& path) { REQUIRE(::truncate(path.c_str(), 0) == 0); }, false},
    {"a directory in its place",
     [](const std::string& path) {
         std::filesystem::remove(path);
         std::filesystem::create_directories(path + "/inner");
     },
     true},
    {"removed", [](const std::string& path) { std::filesystem::remove(path); }, false},
    {"removed with all that belongs to it",
     [](const std::string& path) {
         for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(path + part);
     },
     false},
};

/// All that was committed is in the database, and its log is empty: what is then done to the file is seen.
void write_out(const std::string& path) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

bool lies_aside(const Installation& pp) {
    const auto name = std::filesystem::path{pp.home().history()}.filename().string() + ".damaged-";
    for (const auto& entry : std::filesystem::directory_iterator(pp.home().state())) {
        if (entry.path().filename().string().starts_with(name)) return true;
    }
    return false;
}

/// Three processes, of which two have finished, one after two runs; their pages are in the database itself and in its log.
void make_history(Installation& pp) {
    CHECK(pp.pp({"run", "--name", "twice", "sh", "-c", "exit 1"}).code == 1);
    CHECK(pp.pp({"run", "--name", "twice", "sh", "-c", "exit 1"}).code == 1);
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);  // a hub that ends writes all of it into the database
    CHECK(pp.pp({"run", "--name", "once", "sh", "-c", "exit 5"}).code == 5);
    REQUIRE(pp.pp({"run", "-d", "-i", "--name", "cat", "cat"}).code == 0);
}

void check_history(Installation& pp, const json& cat) {
    const auto twice = pp.pp_json({"status", "twice"});
    REQUIRE(twice["runs"].size() == 2);
    CHECK(twice["runs"][1]["exit_code"] == 1);
    CHECK(twice["events"].size() == 8);
    const auto once = pp.pp_json({"status", "once"});
    CHECK(once["runs"].size() == 1);
    CHECK(once["events"].size() == 4);
    CHECK(pp.pp_json({"status", "cat"})["process"]["pid"] == cat["pid"]);
}

}  // namespace

TEST_CASE("a history that is locked for long keeps nobody waiting, and nothing of the time is missing in it", "[e2e][history]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "before", "true"}).code == 0);
    {
        const test::HistoryLock lock{pp.home().history()};
        CHECK(pp.pp({"run", "--name", "during", "sh", "-c", "echo during; exit 3"}).code == 3);
        pp.wait_for_hub_log("database is locked");
        CHECK_THAT(problem(pp), Contains("locked"));
        CHECK_THAT(pp.pp({"hub", "status"}).out, Contains("locked"));
        CHECK(pp.pp_json({"status", "during"})["process"]["exit_code"] == 3);
        CHECK(pp.pp({"logs", "during"}).out == "during\n");
        CHECK(pp.pp({"hub", "restart"}).code == 0);
        CHECK(pp.pp_json({"ls", "--all"})["processes"].size() == 2);
        CHECK(pp.pp({"run", "--name", "cleared", "true"}).code == 0);
        CHECK(pp.pp({"clear", "cleared"}).code == 0);  // though its end could not be written down
    }
    pp.wait_for_hub_log("history: works again");
    CHECK(problem(pp).empty());
    pp.wait_until_told("p1");
    pp.wait_until_told("p2");
    CHECK(pp.pp_json({"status", "during"})["events"].size() == 4);
    CHECK(pp.pp_json({"status", "before"})["events"].size() == 4);
    CHECK(pp.pp({"status", "cleared"}).code == 3);
}

TEST_CASE("a history that was harmed while no hub ran is filled anew from the processes' files, and kept aside", "[e2e][history]") {
    const auto& harm = kHarms[GENERATE(range(std::size_t{0}, std::size(kHarms)))];
    CAPTURE(harm.what);
    Installation pp;
    make_history(pp);
    const auto cat = pp.pp_json({"status", "cat"})["process"];
    Installation::kill_hard(pp.hub_pid());
    if (harm.is_kept) write_out(pp.home().history());
    harm.harm(pp.home().history());
    REQUIRE(pp.pp({"hub", "start"}).code == 0);
    check_history(pp, cat);
    CHECK(lies_aside(pp) == harm.is_kept);
    if (harm.is_kept) CHECK_THAT(problem(pp), Contains("history.db.damaged-") && Contains("taken over"));
}

TEST_CASE("a history that is removed while a hub runs is filled anew, and that is said", "[e2e][history]") {
    Installation pp;
    make_history(pp);
    const auto cat = pp.pp_json({"status", "cat"})["process"];
    const bool with_all = GENERATE(false, true);
    kHarms[with_all ? 7 : 6].harm(pp.home().history());
    CHECK(pp.pp({"run", "--name", "later", "sh", "-c", "exit 6"}).code == 6);
    for (const char* id : {"p1", "p2", "p4"}) pp.wait_until_told(id);
    check_history(pp, cat);
    CHECK(pp.pp_json({"status", "later"})["events"].size() == 4);
    CHECK_THAT(problem(pp), Contains("removed") && Contains("taken over"));
    CHECK(std::filesystem::is_regular_file(pp.home().history()));
    REQUIRE(pp.pp({"hub", "restart"}).code == 0);
    CHECK(problem(pp).empty());
    check_history(pp, cat);
}
