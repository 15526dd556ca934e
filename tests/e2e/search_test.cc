// Searching as a person does it, by the hub.
#include <catch2/catch.hpp>

#include "tests/support/installation.h"

using namespace pp;
using Catch::Matchers::Contains;
using test::Installation;

namespace {

void run(Installation& pp, const std::string& name, const std::string& script) {
    const auto ran = pp.pp({"run", "--name", name, "--streams", "merged", "sh", "-c", script});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
}

}  // namespace

TEST_CASE("pp search finds lines by name and in the whole project, with their numbers", "[e2e][search]") {
    Installation pp;
    run(pp, "web", "echo listening; echo 'error: disk' >&2; seq 100; printf 'last error'");
    run(pp, "api", "echo fine; echo 'Error 42'");
    run(pp, "db", "echo fine");
    CHECK(pp.pp({"search", "error", "web"}).out == "2:error: disk\n103:last error\n");
    CHECK(pp.pp({"search", "-i", "ERROR"}).out == "web:2:error: disk\nweb:103:last error\napi:2:Error 42\n");
    CHECK(pp.pp({"search", "-F", "error:", "web"}).out == "2:error: disk\n");
    CHECK(pp.pp({"search", "^5$", "web", "-C", "1"}).out == "6-4\n7:5\n8-6\n");
    CHECK(pp.pp({"search", "^(5|50)$", "web", "-C", "1"}).out == "6-4\n7:5\n8-6\n--\n51-49\n52:50\n53-51\n");
    CHECK(pp.pp({"search", "-c", "^[0-9]+$", "web"}).out == "100\n");
    CHECK(pp.pp({"search", "-c", "fine"}).out == "api:1\ndb:1\n");
    const auto first = pp.pp({"search", "^[0-9]+$", "web", "--head", "2"});
    CHECK(first.out == "3:1\n4:2\n");
    CHECK_THAT(first.err, Contains("98 more lines match"));
    CHECK(pp.pp({"search", "^[0-9]+$", "web", "--tail", "1"}).out == "102:100\n");
    CHECK(pp.pp({"search", "error", "web", "--since", "2099-01-01"}).out.empty());
}

TEST_CASE("pp search looks into one stream of two, whose order nobody knows", "[e2e][search]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "two", "--streams", "split", "sh", "-c", "echo error; echo 'error: disk' >&2"}).code == 0);
    const auto found = pp.pp({"search", "error", "two", "--stream", "stderr"}).out;
    CHECK((found == "1:error: disk\n" || found == "2:error: disk\n"));
    CHECK(pp.pp({"search", "-c", "error", "two"}).out == "2\n");
}

TEST_CASE("pp search ends with 1 where no line matches, and says what it cannot do", "[e2e][search]") {
    Installation pp;
    run(pp, "web", "echo fine");
    const auto none = pp.pp({"search", "error"});
    CHECK(none.code == 1);
    CHECK(none.out.empty());
    CHECK_THAT(none.err, Contains("no line matches") && Contains("--all"));
    CHECK(pp.pp({"search", "fine"}).code == 0);
    const auto bad = pp.pp({"search", "[a-", "web"});
    CHECK(bad.code == 2);
    CHECK_THAT(bad.err, Contains("missing ]") && Contains("RE2"));
    CHECK(pp.pp({"search", ""}).code == 2);
    CHECK(pp.pp({"search"}).code == 2);
    CHECK(pp.pp({"search", "x", "wbe"}).code == 3);
    CHECK(pp.pp({"search", "x", "web", "--run", "9"}).code == 2);
    CHECK(pp.pp({"search", "x", "web", "--cursor", "-1"}).code == 2);
    CHECK(pp.pp({"search", "x", "web", "--since", "noon"}).code == 2);
    CHECK(pp.pp({"search", "x", "--cursor", "1"}).code == 2);
}

TEST_CASE("pp search looks into earlier runs, and no control sequence comes out", "[e2e][search]") {
    Installation pp;
    const std::string script = R"(n=$(cat n 2>/dev/null || echo 1); echo $((n + 1)) > n; printf '\033[31mer\033[0mror of run %s\033]0;x\007\n' $n)";
    run(pp, "job", script);
    run(pp, "job", script);
    CHECK(pp.pp({"search", "error of run", "job"}).out == "1:error of run 2\n");
    CHECK(pp.pp({"search", "error of run", "job", "--run", "-2"}).out == "1:error of run 1\n");
    CHECK(pp.pp({"search", "error of run", "job", "--run", "1"}).out == "1:error of run 1\n");
}

TEST_CASE("pp search shows all of it, however many lines match", "[e2e][search]") {
    Installation pp;
    run(pp, "counter", "seq 200000");
    const auto all = pp.pp({"search", "7", "counter"});
    CHECK(all.code == 0);
    const auto counted = pp.pp({"search", "-c", "7", "counter"}).out;
    CHECK(std::to_string(std::count(all.out.begin(), all.out.end(), '\n')) + "\n" == counted);
    CHECK_THAT(all.out, Contains("\n77777:77777\n"));
    CHECK_THAT(all.out, Catch::EndsWith("199997:199997\n"));
    CHECK(all.err.empty());
}

TEST_CASE("pp search --json is what agents get", "[e2e][search]") {
    Installation pp;
    REQUIRE(pp.pp({"run", "--name", "web", "--streams", "split", "sh", "-c", "echo one; echo two"}).code == 0);
    const auto found = pp.pp_json({"search", "two", "web"});
    CHECK(found["matches"] == 1);
    CHECK(found["lost_bytes"] == 0);
    CHECK(found["more"] == false);
    CHECK(found["cursor"] == 8);
    const auto& process = found["processes"][0];
    CHECK(process["name"] == "web");
    CHECK(process["run"] == 1);
    const auto& line = process["lines"][0];
    CHECK(line["line"] == 2);
    CHECK(line["cursor"] == 4);
    CHECK(line["text"] == "two");
    CHECK(line["stream"] == "stdout");
    CHECK(line["match"] == nlohmann::json{0, 3});
    CHECK(pp.pp({"search", "three", "web", "--json"}).code == 1);
}

TEST_CASE("a hub that dies during a search is replaced, and the answer comes", "[e2e][search]") {
    Installation pp;
    run(pp, "web", "echo needle");
    Installation::kill_hard(pp.hub_pid());
    CHECK(pp.pp({"search", "needle", "web"}).out == "1:needle\n");
}
