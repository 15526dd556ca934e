#include "protocol/ring/query.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "tests/protocol/ring/test_ring.h"

using namespace pp;
using namespace pp::test;
using ring::Query;
using ring::QueryRefused;
using ring::Stream;
using ring::StreamChoice;

namespace {

std::string numbered(int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

Query from(std::uint64_t cursor) {
    Query query;
    query.cursor = cursor;
    return query;
}

Query tail_of(std::uint64_t lines) {
    Query query;
    query.lines = lines;
    return query;
}

/// Why a query is refused; nothing if it is not.
std::optional<QueryRefused::Why> refusal(ring::Reader& reader, const Query& query) {
    try {
        ring::query(reader, query);
        return std::nullopt;
    } catch (const QueryRefused& refused) {
        return refused.why();
    }
}

}  // namespace

TEST_CASE("a log without output is an empty answer", "[ring][query]") {
    TestRing ring;
    auto reader = ring.reader();
    CHECK(query(reader, {}).text.empty());
    ring.begin_run(1);
    const auto answer = query(reader, {});
    CHECK(answer.text.empty());
    CHECK(answer.run == 1);
    CHECK(answer.cursor == 0);
    CHECK(query(reader, tail_of(10)).text.empty());
    CHECK(query(reader, from(0)).text.empty());
    CHECK_FALSE(query(reader, from(0)).more);
}

TEST_CASE("reading on from each answer's cursor gives every line once", "[ring][query]") {
    TestRing ring{1 << 20};
    ring.begin_run(1);
    const std::string all = numbered(0, 5000);
    ring.write(all);
    auto reader = ring.reader();
    for (const std::size_t budget : {1, 3, 100, 1000, 16000, 400000}) {
        std::string text;
        Query query = from(0);
        query.max_chars = budget;
        if (budget < 100) query.cursor = all.size() - 500;
        const auto start = *query.cursor;
        while (true) {
            const auto answer = ring::query(reader, query);
            REQUIRE(answer.text.size() <= budget);
            REQUIRE(answer.lost_bytes == 0);
            text += answer.text;
            if (!answer.more) break;
            REQUIRE(answer.cursor > *query.cursor);
            if (budget >= 100) REQUIRE(answer.text.back() == '\n');
            query.cursor = answer.cursor;
        }
        CHECK(text == all.substr(start));
    }
}

TEST_CASE("with a cursor, lines limits how many come", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(numbered(0, 10));
    auto reader = ring.reader();
    Query query = from(0);
    query.lines = 3;
    const auto answer = ring::query(reader, query);
    CHECK(answer.text == numbered(0, 3));
    CHECK(answer.more);
    CHECK(answer.cursor == numbered(0, 3).size());
}

TEST_CASE("the last lines are found whatever the chunks are", "[ring][query]") {
    TestRing ring{1 << 20};
    ring.begin_run(1);
    for (int i = 0; i < 2000; ++i) ring.write("line " + std::to_string(i) + "\n", i % 3 == 0 ? Stream::err : Stream::out);
    auto reader = ring.reader();
    for (const std::uint64_t count : {1, 2, 3, 10, 100, 1500}) {
        Query query = tail_of(count);
        query.max_chars = 400000;
        const auto answer = ring::query(reader, query);
        CHECK(answer.text == numbered(2000 - static_cast<int>(count), 2000));
        CHECK(answer.cursor == ring.writer().tail());
        CHECK(answer.lost_bytes == 0);
    }
    CHECK(query(reader, tail_of(0)).text.empty());
    Query stderr_tail = tail_of(2);
    stderr_tail.stream = StreamChoice::err;
    CHECK(query(reader, stderr_tail).text == "line 1995\nline 1998\n");
}

TEST_CASE("an unfinished last line counts as a line", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a\nb\nPassword: ");
    auto reader = ring.reader();
    CHECK(query(reader, tail_of(1)).text == "Password: ");
    CHECK(query(reader, tail_of(2)).text == "b\nPassword: ");
    CHECK(query(reader, tail_of(9)).text == "a\nb\nPassword: ");
}

TEST_CASE("a tail that the ring cannot fill says what is lost", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    for (int i = 0; i < 30000; ++i) ring.write("line " + std::to_string(i) + "\n");
    auto reader = ring.reader();
    Query query = tail_of(100000);
    query.max_chars = 400000;
    const auto answer = ring::query(reader, query);
    CHECK(answer.lost_bytes > 0);
    CHECK(answer.text.ends_with("line 29999\n"));
    CHECK(answer.begin + answer.text.size() == answer.cursor);
    // the run's head is kept apart: it is not lost, and no tail either
    CHECK(answer.lost_bytes == reader.missing(0, answer.begin));
}

TEST_CASE("over the budget a run keeps its head and its tail", "[ring][query]") {
    TestRing ring{1 << 20};
    ring.begin_run(1);
    ring.write(numbered(0, 10000));
    auto reader = ring.reader();
    Query query;
    query.max_chars = 1000;
    const auto answer = ring::query(reader, query);
    REQUIRE(answer.cut);
    CHECK(answer.text.starts_with("line 0\nline 1\n"));
    CHECK(answer.text.ends_with("line 9999\n"));
    const std::string mark = "… " + std::to_string(answer.cut_lines) + " lines (cursor " +
                             std::to_string(answer.cut_begin) + ".." + std::to_string(answer.cut_end) + ") …\n";
    const auto at = answer.text.find(mark);
    REQUIRE(at != std::string::npos);
    const auto lines_shown = std::count(answer.text.begin(), answer.text.end(), '\n') - 1;
    CHECK(static_cast<std::uint64_t>(lines_shown) + answer.cut_lines == 10000);
    CHECK(answer.cursor == ring.writer().tail());
    // what was left out is what lies between the two cursors
    Query middle = from(answer.cut_begin);
    middle.until = answer.cut_end;
    middle.max_chars = 400000;
    CHECK(answer.text.substr(0, at) + ring::query(reader, middle).text + answer.text.substr(at + mark.size()) ==
          numbered(0, 10000));
}

TEST_CASE("a single line over the budget keeps both ends too", "[ring][query]") {
    TestRing ring{1 << 20};
    ring.begin_run(1);
    ring.write(std::string(50000, 'a') + std::string(50000, 'b'));
    auto reader = ring.reader();
    Query query;
    query.max_chars = 1000;
    const auto answer = ring::query(reader, query);
    CHECK(answer.cut);
    CHECK(answer.cut_lines == 0);
    CHECK(answer.text.starts_with(std::string(500, 'a') + "\n… 0 lines"));
    CHECK(answer.text.ends_with(std::string(500, 'b')));
    CHECK(answer.cut_begin == 500);
    CHECK(answer.cut_end == 99500);
}

TEST_CASE("a cursor in the middle of a character or sequence gives neither twice nor broken", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    const std::string all = "x\xE2\x82\xACy\x1b[31mred\x1b]0;title\x07z\n";
    ring.write(all);
    auto reader = ring.reader();
    for (std::uint64_t cut = 0; cut <= all.size(); ++cut) {
        Query first = from(0);
        first.until = cut;
        const auto a = ring::query(reader, first);
        const auto b = ring::query(reader, from(a.cursor));
        CAPTURE(cut);
        CHECK(a.cursor == cut);
        CHECK(a.text + b.text == "x\xE2\x82\xACyredz\n");
        CHECK(a.replaced_bytes + b.replaced_bytes == 0);
    }
}

TEST_CASE("runs are asked by number and from the newest", "[ring][query]") {
    TestRing ring;
    for (std::uint32_t run = 1; run <= 3; ++run) {
        ring.begin_run(run);
        ring.write("run " + std::to_string(run) + "\n", Stream::out, run);
    }
    ring.write("late of run 2\n", Stream::out, 2);
    auto reader = ring.reader();
    const auto text_of = [&](std::int64_t run) {
        Query query;
        query.run = run;
        return ring::query(reader, query).text;
    };
    CHECK(text_of(-1) == "run 3\n");
    CHECK(text_of(3) == "run 3\n");
    CHECK(text_of(-2) == "run 2\nlate of run 2\n");
    CHECK(text_of(1) == "run 1\n");
    CHECK(text_of(-3) == "run 1\n");
    CHECK(query(reader, from(0)).text == "run 1\nrun 2\nrun 3\nlate of run 2\n");
    Query named = from(0);
    named.run = 2;
    CHECK(query(reader, named).text == "run 2\nlate of run 2\n");
}

TEST_CASE("a run that is not known is refused with those that are", "[ring][query]") {
    TestRing ring;
    for (std::uint32_t run = 1; run <= 3; ++run) {
        ring.begin_run(run);
        ring.write("x\n", Stream::out, run);
    }
    auto reader = ring.reader();
    for (const std::int64_t run : {0, 4, 99, -4, -99}) {
        Query query;
        query.run = run;
        try {
            ring::query(reader, query);
            FAIL("not refused");
        } catch (const QueryRefused& refused) {
            CHECK(refused.why() == QueryRefused::Why::unknown_run);
            CHECK(refused.runs() == std::vector<std::uint32_t>{1, 2, 3});
            CHECK(std::string{refused.what()}.find("there are runs 1 to 3") != std::string::npos);
        }
    }
}

TEST_CASE("an overwritten run is answered from its head", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("the very first line\n");
    for (int i = 0; i < 5000; ++i) ring.write("line " + std::to_string(i) + " of much more than the ring holds\n");
    auto reader = ring.reader();
    Query query;
    query.max_chars = 400000;
    const auto answer = ring::query(reader, query);
    CHECK(answer.text.starts_with("the very first line\n"));
    CHECK(answer.text.ends_with("line 4999 of much more than the ring holds\n"));
    CHECK(answer.lost_bytes > 0);
    CHECK(answer.lost_bytes == reader.missing(0, answer.cursor));
    CHECK(answer.text.find(std::to_string(answer.lost_bytes) + " bytes lost") != std::string::npos);
}

TEST_CASE("a cut answer counts what was lost between head and tail", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    for (int i = 0; i < 10000; ++i) ring.write("line " + std::to_string(i) + " of much more than the ring holds\n");
    auto reader = ring.reader();
    const auto answer = query(reader, {});
    CHECK(answer.cut);
    CHECK(answer.lost_bytes == reader.missing(0, answer.cursor));
    CHECK(answer.lost_bytes > 0);
}

TEST_CASE("stdout and stderr of a merged run are refused", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("merged\n");
    auto reader = ring.reader();
    for (const auto stream : {StreamChoice::out, StreamChoice::err}) {
        Query query;
        query.stream = stream;
        CHECK(refusal(reader, query) == QueryRefused::Why::merged_run);
        query.cursor = 0;
        CHECK(refusal(reader, query) == QueryRefused::Why::merged_run);
    }
    CHECK(query(reader, {}).merged);
}

TEST_CASE("streams are told apart and notes are in combined alone", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("out\n", Stream::out);
    ring.write("note\n", Stream::note);
    ring.write("err\n", Stream::err);
    auto reader = ring.reader();
    Query query;
    CHECK(ring::query(reader, query).text == "out\nnote\nerr\n");
    CHECK_FALSE(ring::query(reader, query).merged);
    query.stream = StreamChoice::out;
    CHECK(ring::query(reader, query).text == "out\n");
    query.stream = StreamChoice::err;
    CHECK(ring::query(reader, query).text == "err\n");
    query.cursor = 0;
    CHECK(ring::query(reader, query).text == "err\n");
    CHECK(ring::find_stream_choice("stderr") == StreamChoice::err);
    CHECK_FALSE(ring::find_stream_choice("both"));
}

TEST_CASE("since and before choose by the time of the chunks", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("early\n", Stream::out);
    std::int64_t between = now_ns() + 1;
    while (now_ns() <= between) {
    }
    ring.write("late\n", Stream::err);
    auto reader = ring.reader();
    const auto chunks = reader.chunks(0, UINT64_MAX);
    REQUIRE(chunks.size() == 2);
    between = chunks[1].time_ns;
    Query query;
    query.since_ns = between;
    CHECK(ring::query(reader, query).text == "late\n");
    query.since_ns = between + 1;
    CHECK(ring::query(reader, query).text.empty());
    query.since_ns.reset();
    query.before_ns = between;
    CHECK(ring::query(reader, query).text == "early\n");
    query.cursor = 2;
    CHECK(ring::query(reader, query).text == "rly\n");
}

TEST_CASE("raw gives the bytes as they were", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    const std::string bytes = "\x1b[31mred\x1b[0m\r\n\xFF same\nsame\nsame\n";
    ring.write(bytes);
    auto reader = ring.reader();
    Query query;
    query.raw = true;
    CHECK(ring::query(reader, query).text == bytes);
    query.raw = false;
    CHECK(ring::query(reader, query).text == "red\n\xEF\xBF\xBD same\nsame … ×2\n");
    CHECK(ring::query(reader, query).replaced_bytes == 1);
}

TEST_CASE("a log that folds to almost nothing is looked at in bounded steps", "[ring][query]") {
    TestRing ring{16 << 20};
    ring.begin_run(1);
    const std::string block(30000, '\n');
    for (int i = 0; i < 500; ++i) ring.write(block);
    auto reader = ring.reader();
    const auto first = query(reader, from(0));
    CHECK(first.more);
    CHECK(first.cursor >= 1u << 20);
    CHECK(first.cursor <= 4u << 20);
    auto last = first;
    while (last.more) last = query(reader, from(last.cursor));
    CHECK(last.cursor == ring.writer().tail());
    const auto whole = query(reader, {});
    CHECK(whole.cursor == ring.writer().tail());
}

TEST_CASE("a cursor beyond the tail answers from the tail", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("x\n");
    auto reader = ring.reader();
    const auto answer = query(reader, from(1000));
    CHECK(answer.text.empty());
    CHECK(answer.cursor == 2);
    CHECK_FALSE(answer.more);
}

TEST_CASE("lost and read add up to what was written, whatever the cursor", "[ring][query]") {
    TestRing ring;
    ring.begin_run(1);
    for (int i = 0; i < 20000; ++i) ring.write("line " + std::to_string(i) + "\n");
    auto reader = ring.reader();
    for (const std::uint64_t cursor : {0ull, 1ull, 50'000ull, 65'536ull, 70'000ull, 150'000ull}) {
        Query query = from(cursor);
        query.raw = true;
        query.max_chars = 1000;
        std::uint64_t read = 0;
        std::uint64_t lost = 0;
        while (true) {
            const auto answer = ring::query(reader, query);
            read += answer.text.size();
            lost += answer.lost_bytes;
            query.cursor = answer.cursor;
            if (!answer.more) break;
        }
        CHECK(cursor + read + lost == ring.writer().tail());
        CHECK(lost == reader.missing(cursor, ring.writer().tail()));
    }
}
