#include "protocol/rundir/naming.h"

#include <catch2/catch.hpp>

#include "protocol/rundir/nearest.h"

using namespace pp::rundir;

namespace {

Nameable process(ProcessNumber number, const std::string& name, bool alive = true,
                 const std::string& project = "/a") {
    Nameable one;
    one.number = number;
    one.name = name;
    one.label = name + " label";
    one.project = project;
    one.directory = project;
    one.command = "run " + name;
    one.alive = alive;
    one.main_pid = alive ? static_cast<int>(1000 + number) : 0;
    return one;
}

std::vector<const Nameable*> pointers(const std::vector<Nameable>& all) {
    std::vector<const Nameable*> found;
    for (const auto& one : all) found.push_back(&one);
    return found;
}

std::vector<ProcessNumber> hits(const std::vector<Nameable>& all, const Asked& asked) {
    std::vector<ProcessNumber> found;
    for (const auto* one : look_up(pointers(all), asked).hits) found.push_back(one->number);
    return found;
}

std::string refused(const std::vector<Nameable>& all, const Asked& asked) {
    const auto named = pointers(all);
    return refusal_text(look_up(named, asked), asked);
}

using Numbers = std::vector<ProcessNumber>;

}  // namespace

TEST_CASE("a process is named by id, then pid, name, label and command", "[rundir][naming]") {
    const std::vector all{process(1, "web"), process(2, "api", false), process(3, "run web")};
    CHECK(hits(all, {"p1", "/a", ""}) == Numbers{1});
    CHECK(hits(all, {"1001", "/a", ""}) == Numbers{1});
    CHECK(hits(all, {"1002", "/a", ""}).empty());  // not live
    CHECK(hits(all, {"api", "/a", ""}) == Numbers{2});
    CHECK(hits(all, {"api", "/elsewhere", ""}) == Numbers{2});
    CHECK(hits(all, {"api", "", ""}) == Numbers{2});
    CHECK(hits(all, {"api label", "/a", ""}) == Numbers{2});
    CHECK(hits(all, {"run api", "/a", ""}) == Numbers{2});
    CHECK(hits(all, {"run web", "/a", ""}) == Numbers{3});  // a name goes before a command
}

TEST_CASE("a part of a word names nothing, and the nearest is told", "[rundir][naming]") {
    const std::vector all{process(1, "website"), process(2, "api")};
    for (const char* text : {"web", "run", "", "p9", "99999", "p01"}) {
        INFO(text);
        CHECK(hits(all, {text, "/a", ""}).empty());
    }
    CHECK(refused(all, {"webiste", "/a", ""}) == "there is no process 'webiste'; did you mean 'website'?");
    CHECK(refused(all, {"zzzzzzzz", "/a", ""}) ==
          "there is no process 'zzzzzzzz', and none with a name like it");
    CHECK(refused(all, {"99999", "/a", ""}) == "pid 99999 is not the main process of anything that pp runs");
}

TEST_CASE("a name in the caller's project goes before the same name elsewhere", "[rundir][naming]") {
    const std::vector all{process(1, "web"), process(2, "web", true, "/b")};
    CHECK(hits(all, {"web", "/a", ""}) == Numbers{1});
    CHECK(hits(all, {"web", "/b", ""}) == Numbers{2});
    CHECK(hits(all, {"web", "/c", ""}) == Numbers{1, 2});
    CHECK(hits(all, {"web", "", ""}) == Numbers{1, 2});
}

TEST_CASE("a process belongs to the caller's project if its directory lies inside it", "[rundir][naming]") {
    const std::vector all{process(1, "web", true, "/repo/inner"), process(2, "web", true, "/repository")};
    CHECK(hits(all, {"web", "/repo", ""}) == Numbers{1});
    CHECK(lies_inside("/repo/inner", "/"));
    CHECK_FALSE(lies_inside("/repository", "/repo"));
    CHECK_FALSE(belongs_to("/a", "", ""));
    CHECK(belongs_to("/elsewhere", "/a", "/a"));  // as it was said when it was started
}

TEST_CASE("a live process goes before finished ones, and the newest of those in its project",
          "[rundir][naming]") {
    CHECK(hits({process(1, "web"), process(2, "web", false)}, {"web", "/a", ""}) == Numbers{1});
    CHECK(hits({process(1, "web"), process(2, "web", false, "/b")}, {"web", "/c", ""}) == Numbers{1});
    CHECK(hits({process(1, "web", false), process(2, "web", false)}, {"web", "/a", ""}) == Numbers{2});
    CHECK(hits({process(1, "web", false), process(2, "web", false)}, {"web", "/c", ""}) == Numbers{2});
}

TEST_CASE("finished processes of several projects are not guessed among", "[rundir][naming]") {
    const std::vector all{process(1, "web", false), process(2, "web", false, "/b")};
    CHECK(hits(all, {"web", "/c", ""}) == Numbers{1, 2});
    CHECK(
        refused(all, {"web", "/c", ""}) ==
        "'web' could be several, name one by its id:\n  p1  web  run web  in /a\n  p2  web  run web  in /b");
}

TEST_CASE("a command in the caller's directory goes before the same elsewhere", "[rundir][naming]") {
    std::vector all{process(1, "x"), process(2, "y", true, "/b")};
    for (auto& one : all) one.command = "make";
    CHECK(hits(all, {"make", "", "/b"}) == Numbers{2});
    CHECK(hits(all, {"make", "", "/c"}) == Numbers{1, 2});
}

TEST_CASE("what is said of several is short, and nothing that a terminal obeys", "[rundir][naming]") {
    std::vector<Nameable> all;
    for (ProcessNumber number = 1; number <= 12; ++number) all.push_back(process(number, "web"));
    all[0].command = "evil \x1b[2J\ncommand";
    const auto text = refused(all, {"web", "/a", ""});
    CHECK_THAT(text, Catch::EndsWith("\n  and 2 more"));
    CHECK_THAT(text, Catch::Contains("evil  command") && !Catch::Contains("\x1b"));
}

TEST_CASE("the nearest word is the one with the fewest changes, if any is near", "[rundir][nearest]") {
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(find_nearest("lable", {"name", "label"}) == "label");
    CHECK_FALSE(find_nearest("xyz", {"name", "label"}));
    CHECK_FALSE(find_nearest("", {"a"}));
}
