#include "cli/run/run_options.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/failure.h"

using namespace pp::cli;
using nlohmann::json;

namespace {

pp::wire::Request request(const Words& words) {
    const Context here{pp::rundir::Home::from_environment({{"PP_HOME", "/tmp/none"}}, 0), {}, "/here"};
    return start_request(here, parse_run(words));
}

json asked(const Words& words) { return json::parse(request(words).arguments); }

}  // namespace

TEST_CASE("everything behind the first word that is no option belongs to the child", "[cli][run]") {
    CHECK(parse_run({"npm", "run", "dev", "--", "--port", "3"}).command ==
          Words{"npm", "run", "dev", "--", "--port", "3"});
    CHECK(parse_run({"sh", "-c", "echo a; exit 7"}).command == Words{"sh", "-c", "echo a; exit 7"});
    CHECK(parse_run({"--name", "web", "server", "--name", "other"}).command ==
          Words{"server", "--name", "other"});
    CHECK(parse_run({"--", "-d"}).command == Words{"-d"});
    CHECK(parse_run({"-d", "--", "--", "x"}).command == Words{"--", "x"});
    CHECK(parse_run({"a", "", " b "}).command == Words{"a", "", " b "});
}

TEST_CASE("options of run are taken in every spelling", "[cli][run]") {
    const auto options =
        parse_run({"-di", "--name=web", "--label", "my label", "--dir", "/x", "--env", "A=1", "--env",
                   "B=x=y", "--on-exit", "stop", "--fresh", "--streams", "split", "cmd"});
    CHECK(options.detach);
    CHECK(options.pass_stdin);
    CHECK(options.name == "web");
    CHECK(options.label == "my label");
    CHECK(options.directory == "/x");
    CHECK(options.environment == std::map<std::string, std::string>{{"A", "1"}, {"B", "x=y"}});
    CHECK(options.on_exit == OnExit::stop);
    CHECK(options.replace);
    CHECK(options.streams == "split");
    CHECK(options.command == Words{"cmd"});
}

TEST_CASE("a command line of run that cannot be meant is refused", "[cli][run]") {
    for (const Words& words :
         {Words{}, Words{"--"}, Words{""}, Words{"--name"}, Words{"--nonsense", "x"},
          Words{"--env", "A", "x"}, Words{"--env", "=1", "x"}, Words{"--on-exit", "maybe", "x"},
          Words{"--streams", "three", "x"}, Words{"--json", "x"}}) {
        CHECK_THROWS_AS(parse_run(words), Failure);
    }
    CHECK_THROWS_AS(parse_run(Words(65537, "x")), Failure);
    CHECK_THROWS_AS(parse_run({"--help"}), HelpAsked);
    CHECK(parse_run({"x", "--help"}).command == Words{"x", "--help"});
}

TEST_CASE("one word with blanks or shell syntax is a string, all else an argv, and both go as their bytes",
          "[cli][run]") {
    CHECK(request({"echo a; exit 7"}).command == "echo a; exit 7");
    CHECK(request({"npm run dev"}).command == "npm run dev");
    CHECK(request({"npm run dev"}).argv.empty());
    CHECK(request({"ls"}).argv == Words{"ls"});
    CHECK(request({"sh", "-c", "echo a; exit 7"}).argv == Words{"sh", "-c", "echo a; exit 7"});
    CHECK(request({"sh", "-c", "echo a; exit 7"}).command.empty());
    CHECK(request({"echo", "\xff"}).argv == Words{"echo", "\xff"});
    CHECK(request({"echo \xff"}).command == "echo \xff");
}

TEST_CASE("start is asked with what was given and no more", "[cli][run]") {
    CHECK(asked({"ls", "-l"}) == json{{"wait", {{"for", "none"}}}});
    CHECK(request({"ls", "-l"}).working_directory == "/here");
    const auto terminal = asked({"--pty", "vim"});
    CHECK(terminal.at("mode") == "pty");
    CHECK_FALSE(terminal.contains("options"));
    CHECK(asked({"--streams", "split", "ls"}).at("options") == json{{"streams", "split"}});
    CHECK(asked({"--log-size", "64M", "x"}).at("options") == json{{"log", {{"size", "64M"}}}});
    CHECK_THROWS_WITH(parse_run({"--pty", "--streams", "split", "vim"}), Catch::Contains("exclude"));
    CHECK_THROWS_WITH(parse_run({"--pty", "-i", "vim"}), Catch::Contains("pp send NAME"));
    const auto full = asked({"-i", "--dir", "sub", "--replace", "--label", "l", "--env", "A=1", "--name", "n", "ls"});
    CHECK(full.at("working_directory") == "sub");
    CHECK(full.at("replace") == true);
    CHECK(full.at("name") == "n");
    CHECK(full.at("environment") == json{{"A", "1"}});
    CHECK(full.at("options") == json{{"label", "l"}, {"stdin", "pipe"}});
    CHECK_THROWS_WITH(request({"--label", "\xff", "echo"}), Catch::Contains("not valid UTF-8"));
}
