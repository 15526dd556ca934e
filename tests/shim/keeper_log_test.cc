#include "shim/keeper/log.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "protocol/os/read_file.h"
#include "tests/support/temp_dir.h"

using namespace pp;

TEST_CASE("the keeper's log is two files of 1 MiB at most, and is made again if it is removed", "[keeper][log]") {
    const test::TempDir directory;
    const auto path = directory / "keeper.log";
    keeper::Log log{path};
    const std::string text(1000, 'x');
    for (int i = 0; i < 3000; ++i) log.say(text);
    constexpr auto kMost = (1 << 20) + 2000;
    CHECK(std::filesystem::file_size(path) < kMost);
    CHECK(std::filesystem::file_size(path + ".1") < kMost);
    std::filesystem::remove(path);
    log.say("the last line");
    CHECK_THAT(os::find_file_content(path).value_or(""), Catch::Matchers::EndsWith(" the last line\n"));
}
