#include "hub/operations/search.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/cli/fabricated.h"

using namespace pp;
using namespace pp::hub;
using test::Fabricated;
using test::TemporaryHome;

namespace {

SearchArguments looking_for(const std::string& pattern) {
    SearchArguments arguments;
    arguments.pattern = pattern;
    return arguments;
}

std::vector<rundir::ProcessFiles> files_of(const rundir::Home& home, std::uint64_t count) {
    std::vector<rundir::ProcessFiles> all;
    for (std::uint64_t number = 1; number <= count; ++number) all.push_back(rundir::read_process_files(home, number));
    return all;
}

/// An event loop with one worker, and what a search of it answered.
struct Searching {
    EventLoop loop;
    Worker worker{loop, 1};
    std::optional<std::variant<SearchResult, Refusal>> answer;

    Call begin(const rundir::Home& home, const SearchArguments& arguments, std::uint64_t processes) {
        return search(worker, home, arguments, files_of(home, processes), [this](const auto& result) { answer = result; });
    }
    /// Returns when the worker has done what somebody else asked for.
    void let_others() {
        bool done = false;
        worker.post([&]() -> Worker::Then { return [&] { done = true; }; });
        while (!done) loop.turn();
    }
    SearchResult result(const rundir::Home& home, const SearchArguments& arguments, std::uint64_t processes) {
        const auto call = begin(home, arguments, processes);
        while (!answer) loop.turn();
        return std::get<SearchResult>(*answer);
    }
};

/// So much that a search for kSlow takes many turns.
void write_much(Fabricated& process) {
    std::string block;
    while (block.size() < 1u << 20) block += "2026-01-31T12:00:00.000Z deadbeef-dead 0badcafe INFO nothing to be seen here\n";
    for (int i = 0; i < 60; ++i) process.write(block);
}
constexpr std::uint64_t kMuch = 64u << 20;
constexpr const char* kSlow = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}";

std::size_t count_open(const std::string& path) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path(), gone) == path) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("of many processes those are told in which a line matches, and the room is shared out", "[hub][search]") {
    TemporaryHome home;
    Fabricated web{home.home(), 1, "web", "serve"};
    Fabricated silent{home.home(), 2, "silent", "true"};
    Fabricated api{home.home(), 3, "api", "serve"};
    for (auto* process : {&web, &silent, &api}) process->begin_run(1);
    for (int i = 0; i < 100; ++i) web.write("error of web\n");
    silent.write("all is well\n");
    api.write("error of api\n");
    Fabricated never_started{home.home(), 4, "never", "true"};

    auto arguments = looking_for("error");
    arguments.query.max_chars = 400;
    Searching searching;
    const auto result = searching.result(home.home(), arguments, 4);
    CHECK(result.searched == 4);
    REQUIRE(result.processes.size() == 2);
    CHECK(result.processes[0].process.number == 1);
    CHECK(result.processes[0].found.matches == 100);
    CHECK(characters_of(result.processes[0].found.lines) <= 100);
    CHECK(result.processes[1].found.lines.at(0).text == "error of api");
}

TEST_CASE("a process whose log is damaged does not keep the others from being searched", "[hub][search]") {
    TemporaryHome home;
    Fabricated broken{home.home(), 1, "broken", "serve"};
    Fabricated whole{home.home(), 2, "whole", "serve"};
    for (auto* process : {&broken, &whole}) {
        process->begin_run(1);
        process->write("error\n");
    }
    REQUIRE(::truncate(home.home().ring(1).c_str(), 5000) == 0);
    Searching all;
    const auto result = all.result(home.home(), looking_for("error"), 2);
    REQUIRE(result.processes.size() == 2);
    CHECK_THAT(result.processes[0].problem, Catch::Contains("cut short"));
    CHECK(result.processes[1].found.matches == 1);

    auto one = looking_for("error");
    one.target.process = "broken";
    Searching named;
    const auto call = named.begin(home.home(), one, 1);
    while (!named.answer) named.loop.turn();
    CHECK_THAT(std::get<Refusal>(*named.answer).what(), Catch::Contains("cut short"));
}

TEST_CASE("of many processes those that have not had as many runs are passed over", "[hub][search]") {
    TemporaryHome home;
    Fabricated once{home.home(), 1, "once", "serve"};
    Fabricated twice{home.home(), 2, "twice", "serve"};
    once.begin_run(1);
    once.write("error\n");
    twice.begin_run(1);
    twice.write("error\n");
    twice.begin_run(2);
    auto arguments = looking_for("error");
    arguments.query.run = -2;
    Searching searching;
    const auto result = searching.result(home.home(), arguments, 2);
    REQUIRE(result.processes.size() == 1);
    CHECK(result.processes[0].process.number == 2);
    CHECK(result.processes[0].found.run == 1);
}

TEST_CASE("while a long search goes on, others get the worker in between", "[hub][search]") {
    TemporaryHome home;
    Fabricated web{home.home(), 1, "web", "serve", kMuch};
    web.begin_run(1);
    write_much(web);
    Searching searching;
    const auto call = searching.begin(home.home(), looking_for(kSlow), 1);
    searching.let_others();
    CHECK_FALSE(searching.answer);
    while (!searching.answer) searching.loop.turn();
    CHECK(std::get<SearchResult>(*searching.answer).searched == 1);
}

TEST_CASE("a search whose caller has left ends with its slice, and answers nobody", "[hub][search]") {
    TemporaryHome home;
    Fabricated web{home.home(), 1, "web", "serve", kMuch};
    web.begin_run(1);
    write_much(web);
    const auto path = std::filesystem::canonical(home.home().ring(1)).string();
    const auto by_writer = count_open(path);
    Searching searching;
    auto call = searching.begin(home.home(), looking_for(kSlow), 1);
    searching.let_others();
    CHECK(count_open(path) == by_writer + 1);
    call.reset();
    searching.let_others();
    CHECK(count_open(path) == by_writer);
    CHECK_FALSE(searching.answer);
}

TEST_CASE("an unusable pattern is refused with what is wrong", "[hub][search]") {
    TemporaryHome home;
    const auto complaint = [&](const std::string& pattern) {
        Searching searching;
        const auto call = searching.begin(home.home(), looking_for(pattern), 0);
        while (!searching.answer) searching.loop.turn();
        return std::string{std::get<Refusal>(*searching.answer).what()};
    };
    CHECK_THAT(complaint(""), Catch::Contains("is empty"));
    CHECK_THAT(complaint("a[b"), Catch::Contains("missing ]") && Catch::Contains("character 2"));
    CHECK_THAT(complaint(std::string(5000, 'x')), Catch::Contains("5000 bytes"));
}
