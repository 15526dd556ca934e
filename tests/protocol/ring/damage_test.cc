#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <stdexcept>

#include "protocol/os/read_file.h"
#include "protocol/ring/query.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using Catch::Matchers::Contains;

namespace {

void overwrite(const std::string& path, std::uint64_t offset, std::string_view bytes) {
    const os::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    REQUIRE(::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(bytes.size()));
}

}  // namespace

TEST_CASE("a process without a ring has no reader", "[ring][damage]") {
    TempDir dir;
    CHECK_FALSE(ring::Reader::find({dir / "p1.state", dir / "out.ring", dir / "heads"}));
    CHECK_FALSE(ring::find_state(dir / "p1.state"));
}

TEST_CASE("a ring without a whole superblock is an error that names it", "[ring][damage]") {
    TestRing ring;
    ring.write("x\n");
    overwrite(ring.paths().ring, 20, "garbage");
    CHECK_NOTHROW(ring.reader());  // the other one is whole
    overwrite(ring.paths().ring, ring::kSuperblockSize, "garbage");
    CHECK_THROWS_WITH(ring.reader(), Contains("out.ring") && Contains("no whole superblock"));
    CHECK_THROWS_WITH(ring.reopen(), Contains("no whole superblock"));
}

TEST_CASE("a ring cut short is an error that says so", "[ring][damage]") {
    TestRing ring;
    ring.write("x\n");
    REQUIRE(::truncate(ring.paths().ring.c_str(), 20000) == 0);
    CHECK_THROWS_WITH(ring.reader(), Contains("cut short") && Contains("20000"));
}

TEST_CASE("a ring that is cut short under its reader ends the read and no more", "[ring][damage]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(std::string(50000, 'x'));
    auto reader = ring.reader();
    REQUIRE(::truncate(ring.paths().ring.c_str(), 30000) == 0);
    const auto all = read_all(reader, 0);
    CHECK(all.bytes.size() + all.lost == 50000);
    CHECK(all.lost > 0);
    CHECK_NOTHROW(query(reader, {}));
    CHECK_NOTHROW(reader.chunks(0, UINT64_MAX));
}

TEST_CASE("a damaged state page is an error that says what is wrong", "[ring][damage]") {
    TestRing ring;
    ring.write("x\n");
    const auto path = ring.paths().state;
    SECTION("too short") {
        REQUIRE(::truncate(path.c_str(), 100) == 0);
        CHECK_THROWS_WITH(ring.reader(), Contains("state page is 100 bytes long"));
        CHECK_THROWS_WITH(ring.reopen(), Contains("100 bytes"));
    }
    SECTION("foreign") {
        overwrite(path, 0, "SOMETHNG");
        CHECK_THROWS_WITH(ring.reader(), Contains("does not begin with PPRSTATE"));
    }
    SECTION("of a later version") {
        overwrite(path, 8, std::string_view{"\x63\0\0\0", 4});
        CHECK_THROWS_WITH(ring.reader(), Contains("version 99"));
    }
    SECTION("of an impossible shape") {
        overwrite(path, offsetof(ring::StatePageLayout, geometry), "\x07");
        CHECK_THROWS_WITH(ring.reader(), Contains("geometry"));
    }
    SECTION("of another ring") {
        overwrite(path, offsetof(ring::StatePageLayout, ring_uuid), "\x01\x02\x03\x04\x05\x06");
        CHECK_THROWS_WITH(ring.reader(), Contains("another ring"));
    }
    SECTION("without a whole lifecycle record") {
        const std::string junk(512, '\x5A');
        overwrite(path, offsetof(ring::StatePageLayout, lifecycles), junk);
        CHECK_THROWS_WITH(ring.reader(), Contains("no whole lifecycle record"));
    }
}

TEST_CASE("a torn lifecycle record is answered by the one before it", "[ring][damage]") {
    TestRing ring;
    ring.begin_run(1);
    ring.begin_run(2);
    const auto current = ring.writer().page()->lifecycle_slot.load() & 1;
    overwrite(ring.paths().state,
              offsetof(ring::StatePageLayout, lifecycles) + current * sizeof(ring::StatePageLayout::LifecycleSlot), "torn");
    CHECK(ring::find_state(ring.paths().state)->lifecycle.run == 1);
}

TEST_CASE("a damaged descriptor hides no other and costs no byte", "[ring][damage]") {
    TestRing ring{1 << 20};
    std::string all;
    for (int i = 0; i < 200; ++i) {
        const std::string text = "line " + std::to_string(i) + "\n";
        ring.write(text, i % 2 == 0 ? ring::Stream::out : ring::Stream::err);
        all += text;
    }
    const auto geometry = ring.writer().page()->geometry;
    for (const std::uint64_t number : {50u, 51u, 120u})
        overwrite(ring.paths().ring, geometry.offset_of_descriptor(number), std::string(32, '\xFF'));
    auto reader = ring.reader();
    CHECK(read_all(reader, 0).bytes == all);
    const auto chunks = reader.chunks(0, UINT64_MAX);
    CHECK(chunks.size() == 197);
    for (std::size_t i = 1; i < chunks.size(); ++i) REQUIRE(chunks[i].begin == chunks[i - 1].end);
    ring::Query query;
    query.cursor = 0;
    CHECK(ring::query(reader, query).text == all);
}

TEST_CASE("no damage of page or descriptors crashes a reader or makes it go on for ever", "[ring][damage]") {
    TestRing ring;
    for (std::uint32_t run = 1; run <= 3; ++run) {
        ring.begin_run(run);
        for (int i = 0; i < 300; ++i) ring.write("line\n", i % 2 == 0 ? ring::Stream::out : ring::Stream::err, run);
    }
    const auto page = *os::find_file_content(ring.paths().state);
    const auto file = *os::find_file_content(ring.paths().ring);
    TempDir dir;
    std::mt19937 random{1};
    int read = 0;
    for (int round = 0; round < 600; ++round) {
        std::string damaged_page = page;
        std::string damaged_file = file;
        for (int i = 0; i < 4; ++i) {
            // fields of the page behind its identity, and descriptors
            damaged_page[0x100 + random() % 0x600] = static_cast<char>(random());
            damaged_file[ring::kDescriptorsOffset + random() % 8192] = static_cast<char>(random());
        }
        const ring::Reader::Paths paths{dir / "p1.state", dir / "out.ring", dir / "heads"};
        for (const auto& [path, content] : {std::pair{paths.state, &damaged_page}, std::pair{paths.ring, &damaged_file}}) {
            const os::UniqueFd out{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
            REQUIRE(::pwrite(out.get(), content->data(), content->size(), 0) == static_cast<ssize_t>(content->size()));
        }
        try {
            auto reader = ring::Reader::find(paths);
            REQUIRE(reader);
            const auto bounds = reader->bounds();
            std::vector<std::byte> buffer(1 << 20);
            reader->read(bounds.begin, UINT64_MAX, buffer);
            reader->chunks(0, UINT64_MAX, 10000);
            ring::Query query;
            query.lines = 10;
            ring::query(*reader, query);
            query.lines.reset();
            query.cursor = bounds.begin;
            ring::query(*reader, query);
            ring::known_runs(*reader);
            ++read;
        } catch (const std::runtime_error&) {  // an answer too
        }
    }
    CHECK(read > 50);
}

TEST_CASE("a damaged ring leaves the others as they are", "[ring][damage]") {
    TestRing damaged;
    TestRing whole;
    whole.write("fine\n");
    overwrite(damaged.paths().ring, 0, std::string(8192, 'x'));
    CHECK_THROWS_AS(damaged.reader(), std::runtime_error);
    auto reader = whole.reader();
    CHECK(read_all(reader, 0).bytes == "fine\n");
}
