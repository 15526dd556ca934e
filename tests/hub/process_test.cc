#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "hub/process/command.h"
#include "hub/process/ensure.h"
#include "hub/process/ids.h"
#include "hub/process/name.h"
#include "hub/process/program_path.h"
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
