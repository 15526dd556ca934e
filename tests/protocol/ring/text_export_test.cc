#include "protocol/ring/text_export.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <system_error>

#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;

namespace {

std::string content(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

TEST_CASE("a split run is exported as three files", "[ring][export]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("out 1\n", ring::Stream::out);
    ring.write("\x1b[31merr 1\x1b[0m\n", ring::Stream::err);
    ring.write("out 2", ring::Stream::out);
    auto reader = ring.reader();
    const auto exported = export_text(reader, {ring.dir().path(), "web"});
    REQUIRE(exported.paths.size() == 3);
    CHECK(exported.paths[0] == ring.dir() / "web#1.combined.log");
    CHECK(content(exported.paths[0]) == "out 1\nerr 1\nout 2");
    CHECK(content(ring.dir() / "web#1.stdout.log") == "out 1\nout 2");
    CHECK(content(ring.dir() / "web#1.stderr.log") == "err 1\n");
    CHECK(exported.cursor == ring.writer().tail());
    CHECK(exported.lost_bytes == 0);
}

TEST_CASE("a merged run is exported as one file, with times if asked", "[ring][export]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("one\ntw");
    ring.write("o\nthree\n");
    auto reader = ring.reader();
    ring::TextExport wanted{ring.dir().path(), "web"};
    wanted.times = true;
    const auto exported = export_text(reader, wanted);
    REQUIRE(exported.paths.size() == 1);
    std::string digits_as_0 = content(exported.paths[0]);
    for (char& c : digits_as_0) c = c >= '0' && c <= '9' ? '0' : c;
    const std::string time = "[0000-00-00T00:00:00.000Z] ";
    CHECK(digits_as_0 == time + "one\n" + time + "two\n" + time + "three\n");
}

TEST_CASE("an export says what was overwritten", "[ring][export]") {
    TestRing ring;
    ring.begin_run(1);
    const std::string line = std::string(99, 'x') + "\n";
    for (int i = 0; i < 3000; ++i) ring.write(line);
    auto reader = ring.reader();
    ring::TextExport wanted{ring.dir().path(), "web"};
    wanted.raw = true;
    const auto exported = export_text(reader, wanted);
    CHECK(content(exported.paths[0]).size() + exported.lost_bytes == 300'000);
    CHECK(exported.lost_bytes > 0);
}

TEST_CASE("an export that fails leaves nothing behind", "[ring][export]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("x\n");
    auto reader = ring.reader();
    CHECK_THROWS_AS(export_text(reader, {ring.dir() / "missing", "web"}), std::system_error);
    std::filesystem::create_directory(ring.dir() / "web#1.combined.log");
    CHECK_THROWS_AS(export_text(reader, {ring.dir().path(), "web"}), std::system_error);
    CHECK_FALSE(std::filesystem::exists(ring.dir() / "web#1.combined.log.new"));
    CHECK_THROWS_AS(export_text(reader, {ring.dir().path(), "web", 7}), ring::QueryRefused);
}
