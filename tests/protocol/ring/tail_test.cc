#include "protocol/ring/tail.h"

#include <catch2/catch.hpp>

#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using ring::Stream;
using ring::StreamChoice;

namespace {

std::string rest_of(ring::Tail& tail, std::uint64_t* lost = nullptr) {
    std::string text;
    while (const auto piece = tail.next()) {
        text += piece->text();
        if (lost != nullptr) *lost += piece->lost;
    }
    return text;
}

}  // namespace

TEST_CASE("a tail follows the log and comes back empty at its end", "[ring][tail]") {
    TestRing ring;
    ring.begin_run(1);
    auto reader = ring.reader();
    ring::Tail tail{reader, {}, 0};
    CHECK_FALSE(tail.next());
    ring.write("one\n");
    auto piece = tail.next();
    REQUIRE(piece);
    CHECK(piece->text() == "one\n");
    CHECK(piece->run == 1);
    CHECK(piece->begin == 0);
    CHECK(piece->cursor == 4);
    CHECK_FALSE(tail.next());
    ring.write("two\n");
    CHECK(rest_of(tail) == "two\n");
    CHECK(tail.cursor() == 8);
    CHECK_FALSE(tail.next());
}

TEST_CASE("a tail of one stream of one run gives nothing else", "[ring][tail]") {
    TestRing ring;
    for (std::uint32_t run = 1; run <= 2; ++run) {
        ring.begin_run(run);
        for (int i = 0; i < 100; ++i) {
            ring.write("o", Stream::out, run);
            ring.write("e", Stream::err, run);
        }
    }
    auto reader = ring.reader();
    ring::Tail tail{reader, {2, StreamChoice::err}, 0};
    CHECK(rest_of(tail) == std::string(100, 'e'));
    CHECK(tail.cursor() == ring.writer().tail());
}

TEST_CASE("a slow tail is told exactly what it lost", "[ring][tail]") {
    TestRing ring;
    ring.begin_run(1);
    auto reader = ring.reader();
    ring::Tail tail{reader, {}, 0};
    std::uint64_t lost = 0;
    std::uint64_t read = 0;
    for (int round = 0; round < 50; ++round) {
        for (int i = 0; i < 1000 * (round % 7); ++i) ring.write("some line of a few bytes\n");
        if (round % 3 == 0) read += rest_of(tail, &lost).size();
    }
    read += rest_of(tail, &lost).size();
    CHECK(read + lost == ring.writer().tail());
    CHECK(lost > 0);
}

TEST_CASE("bytes of which nobody knows the stream any more count as lost for a stream", "[ring][tail]") {
    TestRing ring;  // 256 descriptors: alternating single bytes use them up long before the payload
    ring.begin_run(1);
    for (int i = 0; i < 1000; ++i) ring.write("x", i % 2 == 0 ? Stream::out : Stream::err);
    auto reader = ring.reader();
    std::uint64_t lost = 0;
    ring::Tail tail{reader, {1, StreamChoice::out}, 0};
    const auto read = rest_of(tail, &lost).size();
    CHECK(read > 0);
    CHECK(read < 500);
    const auto described = reader.chunks(0, UINT64_MAX);
    CHECK(lost == described.front().begin);
    ring::Tail combined{reader, {1, StreamChoice::combined}, 0};
    CHECK(rest_of(combined).size() == 1000);
}

TEST_CASE("a measure counts lines as a reader would", "[ring][tail]") {
    TestRing ring{1 << 20};
    ring.begin_run(1);
    for (int i = 0; i < 3000; ++i) ring.write("line\n", i % 2 == 0 ? Stream::out : Stream::err);
    auto reader = ring.reader();
    const auto tail = ring.writer().tail();
    CHECK(measure(reader, {}, 0, tail).newlines == 3000);
    CHECK(measure(reader, {1, StreamChoice::out}, 0, tail).newlines == 1500);
    CHECK(measure(reader, {}, 7, tail - 7).newlines == 2997);
    CHECK(measure(reader, {2, StreamChoice::combined}, 0, tail).newlines == 0);
}

TEST_CASE("as many lines as a number can say are all there are", "[ring][tail]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("one\ntwo\n");
    auto reader = ring.reader();
    CHECK(ring::find_line_start(reader, {}, 0, 8, UINT64_MAX).cursor == 0);
    ring::Query query;
    query.lines = UINT64_MAX;
    CHECK(ring::query(reader, query).text == "one\ntwo\n");
}
