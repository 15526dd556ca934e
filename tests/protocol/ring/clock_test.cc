// A wall clock that jumps: times in a ring never go back, chunks stay findable, and descriptors are not used up.
#include <catch2/catch.hpp>

#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kNoon = 1'700'000'000 * kSecond;

// Writer::Clock takes plain functions.
std::int64_t wall_ns = 0;
std::int64_t steady_ns = 0;

/// A ring whose clocks the test sets.
class ClockedRing : public TestRing {
  public:
    ClockedRing() {
        wall_ns = kNoon;
        steady_ns = kSecond;
        writer().set_clock({[] { return wall_ns; }, [] { return steady_ns; }});
        begin_run(1);
    }
    /// A line after so much time; the wall clock jumps by so much besides.
    void line(const std::string& text, std::int64_t after = kSecond, std::int64_t jump = 0) {
        steady_ns += after;
        wall_ns += after + jump;
        write(text + "\n");
    }
    std::vector<ring::Chunk> chunks() const { return reader().chunks(0, UINT64_MAX); }
    std::string text_since(std::int64_t since_ns) const {
        auto from = reader();
        ring::Query query;
        query.since_ns = since_ns;
        return ring::query(from, query).text;
    }
    std::string text_before(std::int64_t before_ns) const {
        auto from = reader();
        ring::Query query;
        query.before_ns = before_ns;
        return ring::query(from, query).text;
    }
};

}  // namespace

TEST_CASE("times never go back in a ring, whatever the clock does", "[ring][clock]") {
    ClockedRing ring;
    for (int i = 0; i < 100; ++i) ring.line("x", kSecond, i % 3 == 0 ? -kHour : i % 3 == 1 ? 2 * kHour : -3 * kSecond);
    const auto chunks = ring.chunks();
    REQUIRE(chunks.size() == 100);
    for (std::size_t i = 1; i < chunks.size(); ++i) CHECK(chunks[i].time_ns >= chunks[i - 1].time_ns);
}

TEST_CASE("a clock that went back holds the time until it has come up again, and the step is marked once", "[ring][clock]") {
    ClockedRing ring;
    ring.line("before");
    ring.line("stepped", kSecond, -10 * kSecond);
    for (int i = 0; i < 5; ++i) ring.line("held");
    ring.line("after", 5 * kSecond);
    const auto chunks = ring.chunks();
    REQUIRE(chunks.size() == 8);
    CHECK(chunks[1].flags == ring::kClockStep);
    for (std::size_t i = 1; i < 7; ++i) CHECK(chunks[i].time_ns == kNoon + kSecond);
    for (std::size_t i = 2; i < 8; ++i) CHECK(chunks[i].flags == 0);
    CHECK(chunks[7].time_ns == kNoon + 2 * kSecond);
}

TEST_CASE("while the clock is behind, what comes in a row shares a descriptor as ever", "[ring][clock]") {
    ClockedRing ring;
    ring.line("before");
    ring.line("stepped", kSecond, -kHour);
    for (int i = 0; i < 1000; ++i) ring.line("x", 1000);  // 1 µs apart
    CHECK(ring.chunks().size() <= 4);
}

TEST_CASE("since and before stay sane over a jump: what is asked for is there, at worst with more before it", "[ring][clock]") {
    ClockedRing ring;
    ring.line("first");
    ring.line("forward", kSecond, kHour);
    const auto forward = wall_ns;
    ring.line("back", kSecond, -kHour);
    const auto back = wall_ns;
    ring.line("later", kSecond, 2 * kHour);
    CHECK(ring.text_since(kNoon) == "first\nforward\nback\nlater\n");
    CHECK(ring.text_since(back) == "forward\nback\nlater\n");  // held at the time before the step
    CHECK(ring.text_since(forward + 1) == "later\n");
    CHECK(ring.text_before(forward) == "first\n");
    CHECK(ring.text_before(wall_ns) == "first\nforward\nback\n");
}

TEST_CASE("a successor goes on at the time of the last chunk, though the clock went back meanwhile", "[ring][clock]") {
    ClockedRing ring;
    ring.line("before");
    ring.reopen();
    ring.writer().set_clock({[] { return wall_ns; }, [] { return steady_ns; }});
    ring.writer().set_generation(1);
    ring.line("after", kSecond, -kHour);
    const auto chunks = ring.chunks();
    REQUIRE(chunks.size() == 2);
    CHECK(chunks[1].time_ns == chunks[0].time_ns);
    CHECK(chunks[1].flags == (ring::kRecovered | ring::kClockStep));
}
