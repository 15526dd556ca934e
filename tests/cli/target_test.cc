#include "cli/target.h"

#include <catch2/catch.hpp>

using namespace pp::cli;

namespace {

Candidate candidate(std::uint64_t number, const std::string& name, bool live = true) {
    Candidate one;
    one.number = number;
    one.name = name;
    one.command = "run " + name;
    one.label = one.command + " in /p";
    one.working_directory = "/p";
    one.project = "/p";
    one.live = live;
    one.main_pid = live ? static_cast<int>(1000 + number) : 0;
    return one;
}

std::vector<std::uint64_t> numbers(const std::vector<Candidate>& all, const Asked& asked) {
    std::vector<std::uint64_t> found;
    for (const auto i : look_up(all, asked).hits) found.push_back(all[i].number);
    return found;
}

}  // namespace

TEST_CASE("a process is found by id, pid, name, label and command", "[cli][target]") {
    const std::vector all{candidate(1, "web"), candidate(2, "api"), candidate(3, "db", false)};
    const std::string project = "/p";
    CHECK(numbers(all, {"p2", project, ""}) == std::vector<std::uint64_t>{2});
    CHECK(numbers(all, {"1001", project, ""}) == std::vector<std::uint64_t>{1});
    CHECK(numbers(all, {"web", project, ""}) == std::vector<std::uint64_t>{1});
    CHECK(numbers(all, {"web", "/elsewhere", ""}) == std::vector<std::uint64_t>{1});
    CHECK(numbers(all, {"run db in /p", project, ""}) == std::vector<std::uint64_t>{3});
    CHECK(numbers(all, {"run db", project, ""}) == std::vector<std::uint64_t>{3});
}

TEST_CASE("a part of a word names nothing, and the nearest is told", "[cli][target]") {
    const std::vector all{candidate(1, "website"), candidate(2, "api")};
    for (const char* text : {"web", "run", "", "p9", "99999", "p01"}) {
        INFO(text);
        CHECK(numbers(all, {text, "/p", ""}).empty());
    }
    CHECK(look_up(all, {"webiste", "/p", ""}).nearest == "website");
    CHECK_FALSE(look_up(all, {"something-else-entirely", "/p", ""}).nearest);
}

TEST_CASE("a name in the caller's project goes before the same name elsewhere", "[cli][target]") {
    std::vector all{candidate(1, "web"), candidate(2, "web")};
    all[1].project = "/other";
    CHECK(numbers(all, {"web", "/p", ""}) == std::vector<std::uint64_t>{1});
    CHECK(numbers(all, {"web", "/other", ""}) == std::vector<std::uint64_t>{2});
    CHECK(numbers(all, {"web", "/third", ""}) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a live process goes before finished ones, and the newest of those counts", "[cli][target]") {
    CHECK(numbers({candidate(1, "web"), candidate(2, "web", false)}, {"web", "/p", ""}) ==
          std::vector<std::uint64_t>{1});
    CHECK(numbers({candidate(1, "web", false), candidate(2, "web", false)}, {"web", "/p", ""}) ==
          std::vector<std::uint64_t>{2});
}

TEST_CASE("a command in the caller's directory goes before the same elsewhere", "[cli][target]") {
    std::vector all{candidate(1, "a"), candidate(2, "b")};
    for (auto& one : all) one.command = "make";
    all[1].working_directory = "/q";
    CHECK(numbers(all, {"make", "", "/q"}) == std::vector<std::uint64_t>{2});
    CHECK(numbers(all, {"make", "", "/r"}) == std::vector<std::uint64_t>{1, 2});
}
