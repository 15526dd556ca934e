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

TEST_CASE("a setting that cannot be understood is passed over and told", "[hub][settings]") {
    const auto settings = load("[hub]\nport = 99999\nauth = \"tokn\"\n", {{"PP_PORT", "x"}});
    CHECK(settings.port == kDefaultPort);
    CHECK(settings.problems.size() == 3);
    CHECK(settings.needs_token);
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
