#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "hub/process/command.h"
#include "hub/process/ensure.h"
#include "hub/process/ids.h"
#include "hub/process/name.h"
#include "hub/process/nearest.h"
#include "hub/process/program_path.h"
#include "hub/process/table.h"
#include "hub/refusal.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;

namespace {

std::string choose(const std::string& command, const std::vector<std::string>& taken) {
    return choose_name(command, "/src/web", [&](const std::string& name) {
        return std::find(taken.begin(), taken.end(), name) != taken.end();
    });
}

PreparedCommand prepare(GivenCommand given, bool has_bash = true) {
    return prepare_command(given, [=] { return has_bash; });
}

Row row(std::uint64_t number, const std::string& name, bool alive, const std::string& project = "/a") {
    Row made;
    made.number = number;
    made.name = name;
    made.label = name + " label";
    made.project = project;
    made.directory = project;
    made.command = "run " + name;
    made.alive = alive;
    made.main_pid = alive ? static_cast<int>(1000 + number) : 0;
    return made;
}

std::uint64_t found(const Table& table, const std::string& text, const std::string& project = "",
                    const std::string& directory = "") {
    const auto lookup = table.find({text, project, directory});
    return std::holds_alternative<std::uint64_t>(lookup) ? std::get<std::uint64_t>(lookup) : 0;
}

}  // namespace

TEST_CASE("a command without a name gets one made of its words", "[hub][name]") {
    CHECK(slug_of("npm run dev") == "npm-run-dev");
    CHECK(slug_of("/usr/bin/python3 -m http.server 8000") == "python3-m-http-server-8000");
    CHECK(slug_of("for i in 1 2; do echo $i; done") == "for-i-in-1-2-do-echo-i-done");
    CHECK(slug_of("\xff\xfe") == "process");
    CHECK(slug_of("12") == "run-12");
    CHECK(slug_of("p12") == "run-p12");
    CHECK(slug_of(std::string(300, 'a')).size() <= 64);
    CHECK_FALSE(complaint_about_name(slug_of("-x _y z_")));
}

TEST_CASE("a taken name gets the directory's name before it, then a number", "[hub][name]") {
    CHECK(choose("npm run dev", {}) == "npm-run-dev");
    CHECK(choose("npm run dev", {"npm-run-dev"}) == "web-npm-run-dev");
    CHECK(choose("npm run dev", {"npm-run-dev", "web-npm-run-dev"}) == "web-npm-run-dev-2");
}

TEST_CASE("a name that could be taken for a pid or an id is refused", "[hub][name]") {
    CHECK(complaint_about_name("12"));
    CHECK(complaint_about_name("p12"));
    CHECK(complaint_about_name(""));
    CHECK(complaint_about_name("a b"));
    CHECK(complaint_about_name("-x"));
    CHECK(complaint_about_name(std::string(65, 'a')));
    CHECK_FALSE(complaint_about_name("p"));
    CHECK_FALSE(complaint_about_name("web-2.x_y"));
}

TEST_CASE("a process is found by id, then pid, name, label and command", "[hub][table]") {
    Table table;
    table.put(row(1, "web", true));
    table.put(row(2, "api", false));
    CHECK(found(table, "p1") == 1);
    CHECK(found(table, "1001") == 1);
    CHECK(found(table, "1002") == 0);
    CHECK(found(table, "api") == 2);
    CHECK(found(table, "api label") == 2);
    CHECK(found(table, "run web") == 1);
    CHECK(found(table, "we") == 0);
}

TEST_CASE("the caller's project goes before others, and a live one before finished ones", "[hub][table]") {
    Table table;
    table.put(row(1, "web", false, "/a"));
    table.put(row(2, "web", true, "/b"));
    table.put(row(3, "web", false, "/b"));
    CHECK(found(table, "web", "/a") == 1);
    CHECK(found(table, "web", "/b") == 2);
    CHECK(found(table, "web") == 2);
    table.put(row(2, "web", false, "/b"));
    CHECK(found(table, "web", "/b") == 3);
}

TEST_CASE("several live hits are ambiguous and all told, none tells the nearest", "[hub][table]") {
    Table table;
    table.put(row(1, "web", true, "/a"));
    table.put(row(2, "web", true, "/b"));
    const auto lookup = table.find({"web", "/c", ""});
    REQUIRE(std::holds_alternative<Ambiguous>(lookup));
    CHECK(std::get<Ambiguous>(lookup).hits == std::vector<std::uint64_t>{1, 2});
    CHECK(std::get<NoneSuch>(table.find({"wbe", "", ""})).nearest == "web");
    CHECK_FALSE(std::get<NoneSuch>(table.find({"database", "", ""})).nearest);
}

TEST_CASE("equal commands are told apart by the caller's directory", "[hub][table]") {
    Table table;
    auto one = row(1, "x", true, "/a");
    auto two = row(2, "y", true, "/b");
    one.command = two.command = "npm run dev";
    table.put(one);
    table.put(two);
    CHECK(found(table, "npm run dev", "", "/b") == 2);
    CHECK(std::holds_alternative<Ambiguous>(table.find({"npm run dev", "", "/c"})));
}

TEST_CASE("a string with shell syntax goes through a shell, any other is split at blanks", "[hub][command]") {
    CHECK(prepare({"npm  run\tdev", {}}).argv == std::vector<std::string>{"npm", "run", "dev"});
    CHECK(prepare({"a && b", {}}).argv == std::vector<std::string>{"bash", "-c", "a && b"});
    CHECK(prepare({"a && b", {}}, false).argv == std::vector<std::string>{"sh", "-c", "a && b"});
    for (const char c : std::string{"|&;<>()$`\"'\\*?[]{}#~=!%\n"})
        CHECK(has_shell_syntax(std::string{"a "} + c));
    CHECK(prepare({"echo *", false}).argv == std::vector<std::string>{"echo", "*"});
    CHECK(prepare({"echo x", true}).argv == std::vector<std::string>{"bash", "-c", "echo x"});
    CHECK(prepare({"echo x", std::string{"/bin/zsh"}}).argv ==
          std::vector<std::string>{"/bin/zsh", "-c", "echo x"});
}

TEST_CASE("an argv is executed as it is and shown as a shell would take it", "[hub][command]") {
    const auto command =
        prepare({std::vector<std::string>{"sh", "-c", "echo 'a'; exit 7", "--port=80", ""}, {}});
    CHECK(command.argv[2] == "echo 'a'; exit 7");
    CHECK(command.text == R"(sh -c 'echo '\''a'\''; exit 7' --port=80 '')");
}

TEST_CASE("an empty command and a NUL byte are refused", "[hub][command]") {
    CHECK_THROWS_AS(prepare({"", {}}), Refusal);
    CHECK_THROWS_AS(prepare({" \t\n", {}}), Refusal);
    CHECK_THROWS_AS(prepare({std::vector<std::string>{}, {}}), Refusal);
    CHECK_THROWS_AS(prepare({std::vector<std::string>{""}, {}}), Refusal);
    CHECK_THROWS_AS(prepare({std::vector<std::string>(65537, "x"), {}}), Refusal);  // a launch file holds no more
    CHECK_THROWS_AS(prepare({std::string{"a\0b", 3}, {}}), Refusal);
    CHECK_THROWS_AS(prepare({std::vector<std::string>{"a", std::string{"b\0", 2}}, {}}), Refusal);
}

TEST_CASE("equal means the same command and directory, and whatever was given agrees", "[hub][ensure]") {
    rundir::Launch launch;
    launch.argv = {"npm", "run", "dev"};
    launch.working_directory = "/web";
    launch.name = "web";
    launch.environment = {{"PORT", "80"}, {"PATH", "/bin"}};
    Wanted wanted;
    wanted.argv = launch.argv;
    wanted.directory = "/web";
    CHECK(differences(wanted, launch).empty());
    wanted.environment = {{"PORT", "80"}};
    CHECK(differences(wanted, launch).empty());
    wanted.environment = {{"PORT", "81"}};
    wanted.stdin_mode = "pipe";
    wanted.label = "other";
    CHECK(differences(wanted, launch) == std::vector<std::string>{"label", "stdin", "environment PORT"});
    wanted = {};
    wanted.argv = launch.argv;
    wanted.directory = "/web";
    wanted.rows = 24;
    wanted.log_capacity = 16u << 20;  // the default, said
    CHECK(differences(wanted, launch).empty());
    wanted.columns = 100;
    wanted.log_capacity = 1u << 20;
    CHECK(differences(wanted, launch) == std::vector<std::string>{"cols", "log size"});
}

TEST_CASE("a program is looked up in the PATH that it will get", "[hub][program]") {
    const test::TempDir directory;
    const auto make = [&](const std::string& name, mode_t mode) {
        std::ofstream{directory.path() + "/" + name} << "#!/bin/sh\n";
        ::chmod((directory.path() + "/" + name).c_str(), mode);
    };
    make("runs", 0755);
    make("data", 0644);
    using Kind = ProgramLookup::Kind;
    const rundir::Environment environment{{"PATH", "/nowhere:" + directory.path()}};
    CHECK(look_up_program("runs", "/", environment).kind == Kind::found);
    CHECK(look_up_program("data", "/", environment).kind == Kind::not_executable);
    CHECK(look_up_program("none", "/", environment).kind == Kind::not_found);
    CHECK(look_up_program("./runs", directory.path(), {}).kind == Kind::found);
    CHECK(look_up_program("/", "/", {}).kind == Kind::is_directory);
    CHECK(look_up_program("sh", "/", {}).kind == Kind::found);
}

TEST_CASE("the nearest word is the one with the fewest changes, if any is near", "[hub][nearest]") {
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(nearest("lable", {"name", "label"}) == "label");
    CHECK_FALSE(nearest("xyz", {"name", "label"}));
    CHECK_FALSE(nearest("", {"a"}));
}

TEST_CASE("a number is never given twice, though next_id is lost", "[hub][ids]") {
    const test::TempDir directory;
    const auto home = rundir::Home::from_environment({{"PP_HOME", directory.path()}}, 0);
    home.prepare();
    Ids ids{home};
    CHECK(ids.next() == 1);
    CHECK(ids.next() == 2);
    ::mkdir(home.process(7).c_str(), 0700);
    ::unlink(home.next_id().c_str());
    CHECK(Ids{home}.next() == 8);
    ::unlink(home.next_id().c_str());
    std::ofstream{home.run() + "/p20.state"} << "x";
    Ids later{home};
    later.note(11);
    CHECK(later.next() == 21);
}
