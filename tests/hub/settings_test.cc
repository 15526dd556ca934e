#include "hub/config/settings.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "hub/token.h"
#include "tests/support/temp_dir.h"

using namespace pp;
using namespace pp::hub;

namespace {

Settings load(const std::string& config, const rundir::Environment& environment = {}) {
    const test::TempDir directory;
    ::mkdir((directory.path() + "/config").c_str(), 0700);
    std::ofstream{directory.path() + "/config/config.toml"} << config;
    return load_settings(rundir::Home::from_environment({{"PP_HOME", directory.path()}}, 0), environment);
}

}  // namespace

TEST_CASE("PP_PORT goes before the config file, that before the default", "[hub][settings]") {
    CHECK(load("").port == kDefaultPort);
    CHECK(load("[hub]\nport = 9000 # mine\n").port == 9000);
    CHECK(load("[other]\nport = 9000\n").port == kDefaultPort);
    CHECK(load("[hub]\nport = 9000\n", {{"PP_PORT", "0"}}).port == 0);
}

TEST_CASE("what cannot be understood is told with its place, and what holds instead", "[hub][settings]") {
    const auto settings = load("[hub]\n  port = 99999\nauth = \"tokn\"\n", {{"PP_PORT", "x"}});
    CHECK(settings.port == kDefaultPort);
    REQUIRE(settings.problems.size() == 3);
    CHECK_THAT(settings.problems[0], Catch::Contains("config.toml:2:10: port is 99999") && Catch::Contains("8947 is taken"));
    CHECK_THAT(settings.problems[1], Catch::Contains("config.toml:3:8: auth is \"tokn\"") && Catch::Contains("asks for the token"));
    CHECK_THAT(settings.problems[2], Catch::StartsWith("PP_PORT is 'x'"));
    CHECK(settings.needs_token);
}

TEST_CASE("the door is open only to who says so in so many words", "[hub][settings]") {
    CHECK_FALSE(load("").needs_token);
    CHECK_FALSE(load("[hub]\nport = 1\n").needs_token);
    CHECK_FALSE(load("[hub]\nauth = 'user' # of this machine\n").needs_token);
    for (const char* closed :
         {"[hub]\nauth = \"token\"\n", "[ hub ]\nauth = 'token'\n", "hub.auth = \"token\"\n", "[hub]\n\"auth\" = \"token\"\n"}) {
        INFO(closed);
        CHECK(load(closed).needs_token);
        CHECK(load(closed).problems.empty());
    }
    for (const char* unclear : {"[hub]\nauth = token\n", "[hub]\nauth = \"none\"\n", "[hub]\nauth = \"\"\n", "[hub]\nauth =\n", "[hub]\nauth\n",
                                "[hub]\naut = \"token\"\n", "[hub]\nAuth = \"token\"\n", "hub = { auth = \"token\" }\n"}) {
        INFO(unclear);
        CHECK(load(unclear).needs_token);
        CHECK(load(unclear).problems.size() == 1);
    }
    CHECK_FALSE(load("[other]\nauth = \"token\"\nnonsense\n").needs_token);
}

TEST_CASE("the token is made once and is for its owner alone", "[hub][token]") {
    const test::TempDir directory;
    const std::string path = directory.path() + "/token";
    const auto token = load_token(path);
    CHECK(token.size() == 64);
    CHECK(load_token(path) == token);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}
