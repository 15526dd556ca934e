#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <numeric>

#include "protocol/ring/superblock.h"
#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using ring::Stream;

namespace {

/// Bytes that tell where they belong: every offset of a stretch differs from its neighbours.
std::string pattern(std::uint64_t begin, std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        const auto cursor = begin + i;
        bytes[i] = static_cast<char>((cursor * 7 + (cursor >> 8) * 13 + (cursor >> 16) * 31) & 0xFF);
    }
    return bytes;
}

/// What is readable from `cursor` on is the pattern, and all is accounted for.
void check_pattern(ring::Reader& reader, std::uint64_t cursor, std::size_t buffer_size) {
    std::vector<std::byte> buffer(buffer_size);
    const auto end = reader.refresh().tail;
    std::uint64_t read_bytes = 0;
    std::uint64_t lost = 0;
    for (auto at = cursor; at < end;) {
        const auto read = reader.read(at, end, buffer);
        REQUIRE(read.next > at);
        const std::string got{reinterpret_cast<const char*>(buffer.data()), read.size};
        REQUIRE(got == pattern(read.next - read.size, read.size));
        read_bytes += read.size;
        lost += read.lost;
        at = read.next;
    }
    REQUIRE(cursor + read_bytes + lost == end);
}

}  // namespace

TEST_CASE("bytes come out as they went in for every position of the wrap", "[ring]") {
    TestRing ring;
    auto reader = ring.reader();
    const auto capacity = ring::kMinCapacity;
    std::uint64_t written = 0;
    // steps that are no divisors of the capacity put the wrap at every place of a chunk
    for (int round = 0; round < 3000; ++round) {
        const std::size_t size = 1 + static_cast<std::size_t>(round) * 37 % 977;
        ring.write(pattern(written, size));
        written += size;
        if (round % 10 == 0) check_pattern(reader, written - std::min<std::uint64_t>(written, 5000), 997);
    }
    REQUIRE(written > 20 * capacity);
    REQUIRE(ring.writer().tail() == written);
    for (const std::size_t buffer : {1u, 7u, 4096u, 65536u, 1u << 20}) {
        if (buffer > 1) check_pattern(reader, 0, buffer);
        check_pattern(reader, written - capacity + 1, buffer);
    }
    CHECK(reader.bounds().end == written);
}

TEST_CASE("a small wrap is exact at each single byte", "[ring]") {
    TestRing ring;
    auto reader = ring.reader();
    const auto capacity = ring::kMinCapacity;
    std::uint64_t written = capacity - 20;
    ring.write(pattern(0, written));
    for (int i = 0; i < 40; ++i) {
        ring.write(pattern(written, 1));
        ++written;
        check_pattern(reader, written - 30, 64);
    }
}

TEST_CASE("a ring keeps its capacity of bytes", "[ring]") {
    TestRing ring;
    auto reader = ring.reader();
    ring.write(pattern(0, 300'000));
    const auto bounds = reader.bounds();
    CHECK(bounds.end == 300'000);
    CHECK(bounds.begin == 300'000 - ring::kMinCapacity);
    const auto all = read_all(reader, 0);
    CHECK(all.lost == bounds.begin);
    CHECK(all.bytes == pattern(bounds.begin, ring::kMinCapacity));
}

TEST_CASE("chunks tell stream, run and line", "[ring]") {
    TestRing ring;
    ring.write("a\nb\n", Stream::out, 1);
    ring.write("c\n", Stream::err, 1);
    ring.write("d\n", Stream::out, 2);
    auto reader = ring.reader();
    const auto chunks = reader.chunks(0, UINT64_MAX);
    REQUIRE(chunks.size() == 3);
    CHECK((chunks[0].begin == 0 && chunks[0].end == 4 && chunks[0].line == 0 && chunks[0].stream == Stream::out));
    CHECK((chunks[1].begin == 4 && chunks[1].end == 6 && chunks[1].line == 2 && chunks[1].stream == Stream::err));
    CHECK((chunks[2].begin == 6 && chunks[2].end == 8 && chunks[2].line == 3 && chunks[2].run == 2));
    CHECK(reader.refresh().lines == 4);
    const auto cut = reader.chunks(3, 7);
    REQUIRE(cut.size() == 3);
    CHECK((cut[0].begin == 3 && cut[0].first == 0 && cut[2].end == 7));
    CHECK(reader.chunks(0, UINT64_MAX, 2).size() == 2);
    const auto last = reader.last_chunks(0, UINT64_MAX, 2);
    REQUIRE(last.size() == 2);
    CHECK((last[0].begin == 4 && last[1].end == 8));
    CHECK(reader.chunks(8, 100).empty());
    CHECK(reader.find_run_begin(2) == 6u);
    CHECK_FALSE(reader.find_run_begin(3));
}

TEST_CASE("two streams in turn keep their bytes and their order", "[ring]") {
    TestRing ring{1 << 20};
    std::string out;
    std::string err;
    for (int i = 0; i < 2000; ++i) {
        const std::string word = std::to_string(i) + ",";
        (i % 2 == 0 ? out : err) += word;
        ring.write(word, i % 2 == 0 ? Stream::out : Stream::err);
    }
    auto reader = ring.reader();
    std::string got_out;
    std::string got_err;
    std::vector<std::byte> buffer(4096);
    for (const auto& chunk : reader.chunks(0, UINT64_MAX)) {
        const auto read = reader.read(chunk.begin, chunk.end, buffer);
        REQUIRE(read.size == chunk.end - chunk.begin);
        (chunk.stream == Stream::out ? got_out : got_err).append(reinterpret_cast<const char*>(buffer.data()), read.size);
    }
    CHECK(got_out == out);
    CHECK(got_err == err);
}

TEST_CASE("descriptors wrap before the payload and what is left tells the truth", "[ring]") {
    TestRing ring;
    const auto count = ring::Geometry::for_capacity(ring::kMinCapacity).descriptor_count;
    const int total = static_cast<int>(count) * 3 + 17;
    for (int i = 0; i < total; ++i) ring.write("x\n", i % 2 == 0 ? Stream::out : Stream::err);
    auto reader = ring.reader();
    const auto chunks = reader.chunks(0, UINT64_MAX);
    REQUIRE(chunks.size() == count - 1);
    for (const auto& chunk : chunks) {
        REQUIRE(chunk.end - chunk.begin == 2);
        REQUIRE(chunk.line == chunk.begin / 2);
        REQUIRE(chunk.stream == (chunk.begin / 2 % 2 == 0 ? Stream::out : Stream::err));
    }
    CHECK(chunks.back().end == ring.writer().tail());
    CHECK(reader.bounds().begin == chunks.front().begin);
    CHECK(read_all(reader, 0).bytes.size() == static_cast<std::size_t>(total) * 2);
}

TEST_CASE("the start of a run is kept when the ring overwrites it", "[ring][heads]") {
    TestRing ring;
    std::uint64_t written = 0;
    std::vector<std::uint64_t> begins;
    for (std::uint32_t run = 1; run <= 10; ++run) {
        ring.begin_run(run);
        begins.push_back(written);
        ring.write(pattern(written, 200'000), Stream::merged, run);
        written += 200'000;
    }
    auto reader = ring.reader();
    for (std::uint32_t run = 1; run <= 10; ++run) {
        const auto begin = begins[run - 1];
        const auto head = (reader.refresh(), reader.find_head(run));
        CHECK(head.has_value() == (run > 2));
        std::vector<std::byte> buffer(ring::kHeadSize * 2);
        const auto read = reader.read(begin, begin + 200'000, buffer);
        if (run <= 2) {
            CHECK(read.lost > 0);
            continue;
        }
        CHECK(head->begin == begin);
        CHECK(head->length == ring::kHeadSize);
        CHECK(read.lost == 0);
        CHECK(read.size == ring::kHeadSize);
        const std::string got{reinterpret_cast<const char*>(buffer.data()), read.size};
        CHECK(got == pattern(begin, read.size));
    }
    check_pattern(reader, 0, 5000);
    const auto lost = read_all(reader, 0).lost;
    CHECK(lost == reader.missing(0, written));
    // eight heads of 64 KiB, and the ring's own bytes
    CHECK(lost == written - 8 * ring::kHeadSize - ring::kMinCapacity);
}

TEST_CASE("a short run's head holds all of it", "[ring][heads]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a short run\n", Stream::merged, 1);
    ring.begin_run(2);
    ring.write(pattern(12, 500'000), Stream::merged, 2);
    auto reader = ring.reader();
    std::vector<std::byte> buffer(12);
    const auto read = reader.read(0, 12, buffer);
    CHECK(read.size == 12);
    CHECK(std::string{reinterpret_cast<const char*>(buffer.data()), 12} == "a short run\n");
}

TEST_CASE("a head whose copy failed is never filled with later bytes", "[ring][heads]") {
    TestRing ring;
    ring.begin_run(1);
    // a directory in its place: the heads file cannot be opened
    std::filesystem::create_directory(ring.paths().heads);
    ring.write(pattern(0, 100'000));
    std::filesystem::remove(ring.paths().heads);
    ring.write(pattern(100'000, 100'000));
    auto reader = ring.reader();
    check_pattern(reader, 0, 4096);
    CHECK(read_all(reader, 0).lost == 200'000 - ring::kMinCapacity);
}

TEST_CASE("a successor goes on at the byte", "[ring][succession]") {
    TestRing ring;
    ring.begin_run(1);
    auto reader = ring.reader();
    std::uint64_t written = 0;
    for (int round = 0; round < 200; ++round) {
        const auto size = 1 + static_cast<std::size_t>(round) * 101 % 3000;
        ring.write(pattern(written, size));
        written += size;
        ring.reopen();
        REQUIRE(ring.writer().tail() == written);
        check_pattern(reader, written - size, 1024);
    }
    const auto lines = reader.refresh().lines;
    const std::string all = pattern(0, written);
    CHECK(lines == static_cast<std::uint64_t>(std::count(all.begin(), all.end(), '\n')));
}

TEST_CASE("a cursor does not reset when the state page is gone", "[ring][reboot]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(pattern(0, 300'000), Stream::out);
    ring.writer().checkpoint(false);
    ring.lose_page();
    {
        auto reader = ring.reader();
        CHECK(reader.unverified());
        CHECK(reader.bounds().end == 300'000);
        check_pattern(reader, 0, 4096);
        CHECK(reader.find_head(1).has_value());
        CHECK(reader.chunks(299'990, 300'000).back().stream == Stream::out);
    }
    ring.reopen();
    CHECK(ring.writer().tail() == 300'000);
    ring.write(pattern(300'000, 100'000));
    auto reader = ring.reader();
    CHECK_FALSE(reader.unverified());
    check_pattern(reader, 0, 4096);
    const std::string all = pattern(0, 400'000);
    CHECK(reader.refresh().lines == static_cast<std::uint64_t>(std::count(all.begin(), all.end(), '\n')));
    CHECK(read_all(reader, 0).lost == 400'000 - ring::kHeadSize - ring::kMinCapacity);
}

TEST_CASE("a checkpoint is the newer of two, and one torn leaves the other", "[ring][reboot]") {
    TestRing ring;
    ring.write("one\n");
    ring.writer().checkpoint(false);
    ring.write("two\n");
    ring.writer().checkpoint(true);
    const os::UniqueFd file{::open(ring.paths().ring.c_str(), O_RDWR | O_CLOEXEC)};
    const auto newest = ring::find_superblock(file.get());
    REQUIRE(newest);
    CHECK(newest->tail == 8);
    CHECK(newest->sealed == 1);
    const char torn = '!';
    const auto offset = static_cast<off_t>(newest->sequence % 2 * ring::kSuperblockSize + 100);
    REQUIRE(::pwrite(file.get(), &torn, 1, offset) == 1);
    const auto other = ring::find_superblock(file.get());
    REQUIRE(other);
    CHECK(other->tail == 4);
}

TEST_CASE("our own words are stored like a child's", "[ring]") {
    TestRing ring;
    const std::string text = pattern(0, 150'000);
    ring.writer().append(std::as_bytes(std::span{text}), Stream::note, 1);
    auto reader = ring.reader();
    check_pattern(reader, 0, 4096);
    CHECK(reader.chunks(149'999, 150'000).front().stream == Stream::note);
}

TEST_CASE("a tail of a run without descriptors left begins at its head", "[ring]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("first\n");
    ring.begin_run(2);
    for (int i = 0; i < 5000; ++i) ring.write("x\n", i % 2 == 0 ? Stream::out : Stream::err, 2);
    auto reader = ring.reader();
    CHECK(reader.find_run_begin(1) == 0u);
    CHECK(reader.find_run_begin(2) == 6u);
}

TEST_CASE("lines are counted across wraps and takes", "[ring]") {
    TestRing ring;
    std::uint64_t lines = 0;
    for (int i = 0; i < 20000; ++i) {
        ring.write("word\n" + std::string(static_cast<std::size_t>(i % 50), 'x'));
        ++lines;
    }
    auto reader = ring.reader();
    CHECK(reader.refresh().lines == lines);
    CHECK(reader.state().lines_upto == ring.writer().tail());
}
