#include <catch2/catch.hpp>
#include <fstream>

#include "tests/cli/fabricated.h"
#include "tests/cli/pp_process.h"

using namespace pp;

TEST_CASE("completion for bash is valid bash, and knows verbs, options and names", "[cli][completion]") {
    test::TemporaryHome home;
    const auto script = test::run_pp(home.root(), {"completion", "bash"});
    REQUIRE(script.code == 0);
    const std::string path = home.root() + "/completion";
    std::ofstream{path} << script.out;
    CHECK(std::system(("bash -n " + path).c_str()) == 0);

    const auto completes = [&](const std::string& words, const std::string& expected) {
        const std::string check = "source " + path +
                                  "; pp() { :; }; _pp_names() { echo web; }; COMP_WORDS=(pp " + words +
                                  "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pp; printf '%s\\n' "
                                  "\"${COMPREPLY[@]}\" | grep -qx -- '" +
                                  expected + "'";
        return std::system(("bash <<'END'\n" + check + "\nEND").c_str()) == 0;
    };
    CHECK(completes("lo", "logs"));
    CHECK(completes("logs --fol", "--follow"));
    CHECK(completes("logs w", "web"));
    CHECK(completes("search x w", "web"));
    CHECK(completes("search --ign", "--ignore-case"));
    CHECK(completes("hub st", "start"));
}

TEST_CASE("completion exists for zsh and fish", "[cli][completion]") {
    test::TemporaryHome home;
    CHECK_THAT(test::run_pp(home.root(), {"completion", "zsh"}).out, Catch::Contains("bashcompinit"));
    CHECK_THAT(test::run_pp(home.root(), {"completion", "fish"}).out, Catch::Contains("complete -c pp"));
}
