#include "protocol/ring/lines.h"

#include <catch2/catch.hpp>

#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::ring;
using test::TestRing;

namespace {

std::vector<Line> lines_of(TestRing& ring, Selection selection = {}) {
    auto reader = ring.reader();
    std::vector<Line> found;
    Lines lines{[&](Line&& line) { found.push_back(std::move(line)); }};
    Tail tail{reader, selection, 0};
    while (const auto piece = tail.next()) lines.feed(*piece);
    lines.finish();
    return found;
}

}  // namespace

TEST_CASE("a line is one of its stream, and comes when it ends", "[ring][lines]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("he", Stream::out);
    ring.write("err\n", Stream::err);
    ring.write("llo\n", Stream::out);
    ring.write("e", Stream::err);
    ring.write("o", Stream::out);
    const auto lines = lines_of(ring);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].bytes == "err");
    CHECK(lines[0].begin == 2);
    CHECK(lines[0].end == 6);
    CHECK(lines[0].stream == Stream::err);
    CHECK(lines[1].bytes == "hello");
    CHECK(lines[1].begin == 0);
    CHECK(lines[1].end == 10);
    CHECK(lines[1].run == 1);
    CHECK(lines[1].time_ns > 0);
    CHECK(lines[1].finished);
    CHECK(lines[2].bytes == "e");
    CHECK_FALSE(lines[2].finished);
    CHECK(lines[3].bytes == "o");
    CHECK(lines[3].end == 12);
}

TEST_CASE("empty lines are lines, and a line as long as it may be is whole", "[ring][lines]") {
    std::vector<Line> found;
    Lines lines{[&](Line&& line) { found.push_back(std::move(line)); }};
    const auto feed = [&](const std::string& text, std::uint64_t begin) {
        Piece piece;
        piece.bytes = std::as_bytes(std::span{text});
        piece.begin = begin;
        lines.feed(piece);
    };
    feed("\n\na", 0);
    feed("\n", 3);
    REQUIRE(found.size() == 3);
    CHECK(found[1].end == 2);
    CHECK(found[2].bytes == "a");
    found.clear();
    feed(std::string(Lines::kLongest, 'x'), 4);
    feed("\n", 4 + Lines::kLongest);
    REQUIRE(found.size() == 1);
    CHECK(found[0].finished);
    CHECK(found[0].bytes.size() == Lines::kLongest);
    found.clear();
    feed(std::string(2 * Lines::kLongest + 1, 'y') + "\nz", 0);
    REQUIRE(found.size() == 3);
    CHECK_FALSE(found[0].finished);
    CHECK(found[1].begin == Lines::kLongest);
    CHECK(found[2].bytes == "y");
    CHECK(found[2].finished);
}

TEST_CASE("what a loss interrupts ends there", "[ring][lines]") {
    TestRing ring;  // 64 KiB, and a head as large
    ring.begin_run(1);
    ring.write(std::string(200'000, 'x') + "\n");
    const auto lines = lines_of(ring);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].end == kHeadSize);
    CHECK_FALSE(lines[0].finished);
    CHECK(lines[1].begin == 200'001 - kMinCapacity);
    CHECK(lines[1].finished);
}
