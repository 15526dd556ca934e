#include "protocol/ring/line_numbers.h"

#include <catch2/catch.hpp>
#include <random>

#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::ring;
using test::TestRing;

namespace {

LineNumbers numbers_of(Reader& reader, std::int64_t run) {
    const auto stretch = find_run(reader, run);
    return {reader, stretch.run, stretch.begin};
}

}  // namespace

TEST_CASE("lines are counted from where the run began, over all its streams", "[ring][numbers]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a\nb\n");
    ring.begin_run(2);
    const auto begin = ring.writer().tail();
    ring.write("c\n", Stream::out, 2);
    ring.write("d\ne", Stream::err, 2);
    ring.write("f\n", Stream::out, 2);
    auto reader = ring.reader();
    auto second = numbers_of(reader, 2);
    CHECK(second.knows_begin());
    CHECK(second.before(begin) == 0);
    CHECK(second.before(begin + 2) == 1);
    CHECK(second.before(begin + 4) == 2);
    CHECK(second.before(begin + 5) == 2);
    CHECK(second.before(begin + 7) == 3);
    CHECK(numbers_of(reader, 1).before(2) == 1);
}

TEST_CASE("numbers stay exact where the ring has overwritten the run's begin", "[ring][numbers]") {
    std::mt19937 random{11};
    TestRing ring;
    std::string written;
    const auto write = [&](std::size_t size, std::uint32_t run) {
        std::string text(size, 'x');
        for (char& c : text) c = random() % 20 == 0 ? '\n' : 'x';
        ring.write(text, random() % 2 == 0 ? Stream::out : Stream::err, run);
        written += text;
    };
    ring.begin_run(1);
    for (int i = 0; i < 20; ++i) write(random() % 5000, 1);
    ring.begin_run(2);
    const auto begin = ring.writer().tail();
    for (int i = 0; i < 500; ++i) write(random() % 1500, 2);

    auto reader = ring.reader();
    auto numbers = numbers_of(reader, 2);
    REQUIRE(reader.bounds().begin > begin + kHeadSize);
    const auto right = [&](std::uint64_t cursor) {
        return static_cast<std::uint64_t>(std::count(written.begin() + static_cast<std::ptrdiff_t>(begin),
                                                     written.begin() + static_cast<std::ptrdiff_t>(cursor), '\n'));
    };
    for (int i = 0; i < 500; ++i) {
        const auto in_ring = reader.bounds().begin + random() % (reader.bounds().end - reader.bounds().begin);
        CHECK(numbers.before(in_ring) == right(in_ring));
        const auto in_head = begin + random() % kHeadSize;
        CHECK(numbers.before(in_head) == right(in_head));
    }
    CHECK(numbers.before(reader.bounds().end) == right(reader.bounds().end));
    CHECK_FALSE(numbers.before(begin + kHeadSize + 100));  // overwritten: nobody can tell
}

TEST_CASE("a single chunk that is larger than the ring is counted from its end", "[ring][numbers]") {
    TestRing ring;
    ring.begin_run(1);
    std::string line(99, 'x');
    line += '\n';
    std::string text;
    for (int i = 0; i < 2000; ++i) text += line;
    ring.write(text);
    auto reader = ring.reader();
    CHECK(numbers_of(reader, 1).before(199'900) == 1999);
    CHECK(numbers_of(reader, 1).before(199'850) == 1998);
}

TEST_CASE("without the page of this boot, numbers are told as far as descriptors tell them", "[ring][numbers]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a\nb\n");
    ring.begin_run(2);
    ring.write("c\nd\n", Stream::merged, 2);
    ring.writer().checkpoint(true);
    ring.lose_page();
    auto reader = ring.reader();
    auto numbers = numbers_of(reader, 2);
    CHECK(numbers.knows_begin());
    CHECK(numbers.before(8) == 2);
}

TEST_CASE("a run whose begin is overwritten and was never noted has no numbers", "[ring][numbers]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a\n");
    ring.begin_run(2);
    for (int i = 0; i < 1000; ++i) ring.write(std::string(199, 'x') + "\n", i % 2 == 0 ? Stream::out : Stream::err, 2);
    for (auto& word : ring.writer().page()->run_lines) word = 0;  // as an older shim leaves it
    auto reader = ring.reader();
    auto numbers = numbers_of(reader, 2);
    CHECK_FALSE(numbers.knows_begin());
    CHECK_FALSE(numbers.before(reader.bounds().end));
}

TEST_CASE("the count of one run is never taken for another's", "[ring][numbers]") {
    const auto word = RunLines::pack(9, 1234);
    CHECK(RunLines::find(word, 9) == 1234);
    CHECK_FALSE(RunLines::find(word, 1));  // the same slot
    CHECK_FALSE(RunLines::find(0, 8));
    CHECK_FALSE(RunLines::find(0, 0));
}
