#include "cli/output/table.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cli/output/print.h"
#include "cli/output/process_text.h"

using namespace pp::cli;
using nlohmann::json;

TEST_CASE("a table's columns are as wide as their widest cell, in characters", "[cli][table]") {
    Table table{{"ID", "NAME", "LAST"}};
    table.add({{"p1"}, {"wéb"}, {"x"}});
    table.add({{"p10"}, {"a"}, {"y"}});
    CHECK(table.text(false) == "ID   NAME  LAST\np1   wéb   x\np10  a     y\n");
}

TEST_CASE("a table's last column is cut to the terminal", "[cli][table]") {
    Table table{{"ID", "COMMAND"}};
    table.add({{"p1"}, {"äöü a very long command"}});
    CHECK(table.text(false, 12) == "ID  COMMAND\np1  äöü a v…\n");
}

TEST_CASE("colours are there only when asked for", "[cli][table]") {
    Table table{{"ID"}};
    table.add({{"p1", Colour::red}});
    CHECK(table.text(true) == "\033[1mID\033[0m\n\033[31mp1\033[0m\n");
}

TEST_CASE("names and commands cannot steer the terminal", "[cli][table]") {
    CHECK(printable("a\033[31mb\tc\nd\x07") == "ab c d");
    CHECK(printable("\xff") == "\uFFFD");
}

TEST_CASE("a process is told in a line", "[cli][table]") {
    const json running{{"id", "p1"}, {"name", "web"}, {"state", "running"}, {"pid", 7}, {"run", 2}};
    CHECK(process_line(running) == "web (p1) is running, pid 7, run 2");
    const json failed{
        {"id", "p1"}, {"name", "web"}, {"state", "finished"}, {"outcome", "failed"}, {"exit_code", 7}};
    CHECK(process_line(failed) == "web (p1) has finished: exited with code 7");
    const json killed{
        {"id", "p1"}, {"name", "web"}, {"state", "finished"}, {"outcome", "killed"}, {"signal", "SIGKILL"}};
    CHECK(process_line(killed) == "web (p1) has finished: was ended by SIGKILL");
}
