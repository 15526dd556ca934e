#include "hub/logs/log_search.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/hub/logs/searched.h"

using namespace pp;
using namespace pp::hub;
using ring::Stream;
using test::search;
using test::TestRing;
using test::texts_of;
using Texts = std::vector<std::string>;

namespace {

std::string numbered(int from, int to) {
    std::string text;
    for (int i = from; i <= to; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
}

LogQuery with_head(std::uint64_t head) {
    LogQuery query;
    query.head = head;
    return query;
}

LogQuery with_context(std::size_t lines) {
    LogQuery query;
    query.context_lines = lines;
    return query;
}

/// What a split run wrote, and its lines in the order in which they ended.
class Oracle {
  public:
    explicit Oracle(TestRing& ring) : ring_{ring} {}

    void write(const std::string& bytes, Stream stream) {
        ring_.write(bytes, stream);
        for (const char c : bytes) {
            auto& line = unfinished_[ring::lane_of(stream)];
            if (line.bytes.empty()) line.begin = at_;
            ++at_;
            if (c == '\n') {
                line.end = at_;
                line.number = ++newlines_;
                line.stream = stream;
                lines_.push_back(line);
                line = {};
            } else {
                line.bytes += c;
            }
        }
    }

    struct Line {
        std::string bytes;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t number = 0;
        Stream stream = Stream::merged;
    };
    [[nodiscard]] std::vector<Line> matching(const std::string& pattern) const {
        const ring::LinePattern looked_for{pattern};
        std::vector<Line> found;
        for (const Line& line : lines_) {
            if (looked_for.matches(ring::plain_view(line.bytes))) found.push_back(line);
        }
        return found;
    }

  private:
    TestRing& ring_;
    std::array<Line, ring::kLanes> unfinished_{};
    std::vector<Line> lines_;
    std::uint64_t at_ = 0;
    std::uint64_t newlines_ = 0;
};

void check_same(const std::vector<FoundLine>& found, const std::vector<Oracle::Line>& right) {
    REQUIRE(found.size() == right.size());
    for (std::size_t i = 0; i < right.size(); ++i) {
        CAPTURE(i, right[i].bytes, found[i].text);
        if (found[i].left_out == 0) CHECK(found[i].text == ring::plain_view(right[i].bytes));
        CHECK(found[i].begin == right[i].begin);
        CHECK(found[i].end == right[i].end);
        CHECK(found[i].number == right[i].number);
        CHECK(found[i].stream == right[i].stream);
        CHECK(found[i].match);
        CHECK_FALSE(found[i].partial);
    }
}

std::string random_bytes(std::mt19937& random) {
    static const std::vector<std::string> kParts{"error",  "warn ", "\n",      "\n",          " ", "id=1",
                                                 "\033[1m", "é",     "timeout", "x\r", "\r\n", "42"};
    std::string bytes;
    for (auto parts = random() % 8; parts > 0; --parts) bytes += kParts[random() % kParts.size()];
    return bytes;
}

}  // namespace

TEST_CASE("a line is found with its number, its cursor and where it matches", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("one\ntwo error: é disk\nthree\n");
    const auto found = search(ring, "disk|three");
    CHECK(found.run == 1);
    CHECK(found.matches == 2);
    CHECK(found.shown == 2);
    CHECK_FALSE(found.more);
    CHECK_FALSE(found.left_out);
    CHECK(found.cursor == 29);
    REQUIRE(found.lines.size() == 2);
    CHECK(found.lines[0].text == "two error: é disk");
    CHECK(found.lines[0].number == 2);
    CHECK(found.lines[0].begin == 4);
    CHECK(found.lines[0].time_ns > 0);
    REQUIRE(found.lines[0].match);
    CHECK(found.lines[0].match->begin == 13);  // characters
    CHECK(found.lines[0].match->end == 17);
    CHECK(found.lines[1].number == 3);
}

TEST_CASE("a line is one of its stream, though the other wrote in the middle of it", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("fatal er", Stream::out);
    ring.write("noise\n", Stream::err);
    ring.write("ror\n", Stream::out);
    const auto found = search(ring, "fatal error");
    REQUIRE(found.matches == 1);
    CHECK(found.lines[0].begin == 0);
    CHECK(found.lines[0].end == 18);
    CHECK(found.lines[0].number == 2);
    CHECK(found.lines[0].stream == Stream::out);
    CHECK(search(ring, "fatal ernoise").matches == 0);
    LogQuery of_stderr;
    of_stderr.stream = ring::StreamChoice::err;
    CHECK(search(ring, "fatal", of_stderr).matches == 0);
    CHECK(search(ring, "noise", of_stderr).lines.at(0).number == 1);
}

TEST_CASE("an unfinished line is a line, and found again when it is whole", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("a\npassword: ");
    const auto prompt = search(ring, "password");
    REQUIRE(prompt.matches == 1);
    CHECK(prompt.lines[0].number == 2);
    ring.write("given\n");
    LogQuery rest;
    rest.cursor = prompt.cursor;
    CHECK(texts_of(search(ring, "password", rest)) == Texts{"password: given"});
    CHECK(texts_of(search(ring, "^given", rest)).empty());
}

TEST_CASE("of two streams an unfinished line is found, though lines of the other one began and ended later", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("tail out", Stream::out);
    ring.write("err out\n", Stream::err);
    const auto found = search(ring, "out");
    CHECK(found.matches == 2);
    CHECK_FALSE(found.more);
    CHECK_FALSE(found.left_out);
    CHECK(texts_of(found) == Texts{"tail out", "err out"});
    CHECK(texts_of(search(ring, "tail")) == Texts{"tail out"});
}

TEST_CASE("lines around what matches are shown once, and gaps between are known", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(numbered(1, 30));
    const auto found = search(ring, "line (5|7|8|20)$", with_context(2));
    CHECK(texts_of(found) == Texts{"line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10",
                                   "line 18", "line 19", "line 20", "line 21", "line 22"});
    CHECK(found.matches == 4);
    CHECK(found.shown == 4);
    for (const auto& line : found.lines) {
        CHECK(line.begins_group == (line.text == "line 18"));
        CHECK(line.match.has_value() == (line.text == "line 5" || line.text == "line 7" || line.text == "line 8" ||
                                         line.text == "line 20"));
        CHECK("line " + std::to_string(line.number.value()) == line.text);
    }
    CHECK(texts_of(search(ring, "line 1$", with_context(2))) == Texts{"line 1", "line 2", "line 3"});
    CHECK(texts_of(search(ring, "line 30", with_context(1))) == Texts{"line 29", "line 30"});
    const auto adjacent = search(ring, "line (10|13)$", with_context(1));
    CHECK(adjacent.lines.size() == 6);
    for (const auto& line : adjacent.lines) CHECK_FALSE(line.begins_group);
}

TEST_CASE("lines around are those of the streams that are asked for", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    for (int i = 1; i <= 9; ++i) ring.write("line " + std::to_string(i) + "\n", i % 2 == 0 ? Stream::err : Stream::out);
    CHECK(texts_of(search(ring, "line 5", with_context(1))) == Texts{"line 4", "line 5", "line 6"});
    auto query = with_context(1);
    query.stream = ring::StreamChoice::out;
    CHECK(texts_of(search(ring, "line 5", query)) == Texts{"line 3", "line 5", "line 7"});
}

TEST_CASE("head and tail show so many, and all are counted", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(numbered(1, 100));
    const auto first = search(ring, "line", with_head(2));
    CHECK(texts_of(first) == Texts{"line 1", "line 2"});
    CHECK(first.matches == 100);
    CHECK(first.shown == 2);
    CHECK(first.more);
    CHECK(first.cursor == 14);
    CHECK_FALSE(search(ring, "line", with_head(100)).more);

    LogQuery last;
    last.tail = 2;
    const auto end = search(ring, "line", last);
    CHECK(texts_of(end) == Texts{"line 99", "line 100"});
    CHECK(end.matches == 100);
    CHECK_FALSE(end.more);
    REQUIRE(end.left_out);
    CHECK(end.left_out->matches == 98);
    CHECK(end.left_out->begin == 0);
    CHECK(end.left_out->end == end.lines[0].begin);

    last.head = 1;
    const auto both = search(ring, "line", last);
    CHECK(texts_of(both) == Texts{"line 1", "line 99", "line 100"});
    CHECK(both.left_out->matches == 97);
    CHECK(both.left_out->begin == 7);
    CHECK(both.lines[1].begins_group);

    const auto counted = search(ring, "line [0-9]$", with_head(0));
    CHECK(counted.matches == 9);
    CHECK(counted.lines.empty());
    CHECK_FALSE(counted.more);
}

TEST_CASE("over the budget the first and the last lines are shown, and what is between is counted", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write(numbered(100, 999));
    LogQuery query;
    query.max_chars = 10 * (8 + kLineOverhead);
    const auto found = search(ring, "line", query);
    CHECK(texts_of(found) == Texts{"line 100", "line 101", "line 102", "line 103", "line 104", "line 995", "line 996",
                                   "line 997", "line 998", "line 999"});
    CHECK(found.matches == 900);
    CHECK(found.shown == 10);
    CHECK_FALSE(found.more);
    REQUIRE(found.left_out);
    CHECK(found.left_out->matches == 890);
    CHECK(found.left_out->begin == found.lines[4].end);
    CHECK(found.left_out->end == found.lines[5].begin);
    query.max_chars = 1;
    const auto least = search(ring, "line", query);
    CHECK(least.shown == 2);
    CHECK(least.lines[0].left_out == 7);
}

TEST_CASE("page after page gives every line once, whatever the streams", "[logs][search]") {
    std::mt19937 random{5};
    for (int round = 0; round < 30; ++round) {
        TestRing ring{1u << 20};
        Oracle oracle{ring};
        ring.begin_run(1);
        for (auto writes = random() % 300; writes > 0; --writes)
            oracle.write(random_bytes(random), random() % 2 == 0 ? Stream::out : Stream::err);
        oracle.write("\n", Stream::out);
        oracle.write("\n", Stream::err);
        for (const char* pattern : {"error", "^warn", "timeout|42$", "id=\\d"}) {
            LogQuery query = with_head(random() % 3 + 1);
            query.max_chars = 40;
            std::vector<FoundLine> lines;
            for (bool more = true; more;) {
                auto page = search(ring, pattern, query);
                lines.insert(lines.end(), page.lines.begin(), page.lines.end());
                query.cursor = page.cursor;
                more = page.more;
            }
            const auto right = oracle.matching(pattern);
            REQUIRE(lines.size() == right.size());
            for (std::size_t i = 0; i < right.size(); ++i) {
                CHECK(lines[i].begin == right[i].begin);
                CHECK(lines[i].number == right[i].number);
            }
        }
    }
}

TEST_CASE("random output of two streams is searched as a naive search of its lines finds it", "[logs][search]") {
    std::mt19937 random{9};
    for (int round = 0; round < 20; ++round) {
        TestRing ring{4u << 20};
        Oracle oracle{ring};
        ring.begin_run(1);
        for (auto writes = random() % 2000; writes > 0; --writes) {
            auto bytes = random_bytes(random);
            if (random() % 50 == 0) bytes += std::string(random() % 20'000, '-') + "\n";
            oracle.write(bytes, random() % 3 == 0 ? Stream::out : Stream::err);
        }
        oracle.write("\n", Stream::out);
        oracle.write("\n", Stream::err);
        for (const char* pattern : {"error", "(?i)ERROR|42", "^$", "timeout.*id", "é", "^-+$", "[0-9]{2}"}) {
            LogQuery query;
            query.max_chars = ring::kMaxCharacters;
            const auto found = search(ring, pattern, query);
            const auto right = oracle.matching(pattern);
            CAPTURE(pattern);
            CHECK(found.matches == right.size());
            CHECK(found.lost_bytes == 0);
            if (found.shown == found.matches) check_same(found.lines, right);
        }
    }
}

TEST_CASE("runs are named by number or from the newest, and a run that is not known is refused", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("first run error\n");
    ring.begin_run(2);
    ring.write("x\nsecond run error\n", Stream::merged, 2);
    LogQuery query;
    CHECK(search(ring, "error").lines.at(0).number == 2);
    query.run = -2;
    CHECK(texts_of(search(ring, "error", query)) == Texts{"first run error"});
    query.run = 1;
    CHECK(search(ring, "error", query).matches == 1);
    query.run = 7;
    CHECK_THROWS_AS(search(ring, "error", query), ring::QueryRefused);
    query.run = -1;
    query.stream = ring::StreamChoice::err;
    CHECK_THROWS_AS(search(ring, "error", query), ring::QueryRefused);
}

TEST_CASE("a process without a run has no lines", "[logs][search]") {
    TestRing ring;
    const auto found = search(ring, "error");
    CHECK(found.run == 0);
    CHECK(found.matches == 0);
    CHECK_FALSE(found.more);
}

TEST_CASE("the kept start of a run is searched, and what is lost is told to the byte", "[logs][search]") {
    TestRing ring;  // 64 KiB, and a head as large
    ring.begin_run(1);
    ring.write("starts with error 1\n");
    for (int i = 0; i < 3000; ++i) ring.write("a line that is fifty characters long, or nearly so\n");
    ring.write("ends with error 2\n");
    const auto found = search(ring, "error");
    CHECK(texts_of(found) == Texts{"starts with error 1", "ends with error 2"});
    CHECK(found.lines[0].number == 1);
    CHECK(found.lines[1].number == 3002);
    const auto total = ring.writer().tail();
    CHECK(found.lost_bytes == total - ring::kMinCapacity - ring::kHeadSize);
}

TEST_CASE("of a line whose begin is lost, what is left is searched and marked", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("begin\n");
    ring.write(std::string(200'000, 'x') + " needle\n");
    ring.write("needle\n");
    const auto found = search(ring, "needle");
    REQUIRE(found.lines.size() == 2);
    CHECK(found.lines[0].partial);
    CHECK(found.lines[0].number == 2);
    CHECK_FALSE(found.lines[1].partial);
}

TEST_CASE("a long line is cut around its match, and says how much is left out", "[logs][search]") {
    TestRing ring{1u << 20};
    ring.begin_run(1);
    ring.write(std::string(5000, 'a') + "é needle é" + std::string(7000, 'b') + "\n");
    const auto found = search(ring, "needle");
    REQUIRE(found.lines.size() == 1);
    const auto& line = found.lines[0];
    CHECK(line.left_out == 5000 + 10 + 7000 - 500);
    CHECK(ring::count_characters(line.text) == 502);
    CHECK(line.text.starts_with("…aaa"));
    CHECK(line.text.ends_with("bbb…"));
    REQUIRE(line.match);
    const auto at = ring::count_characters(line.text.substr(0, line.text.find("needle")));
    CHECK(line.match->begin == at);
    CHECK(line.match->end == at + 6);
}

TEST_CASE("a line of megabytes is searched in parts, as it is read", "[logs][search]") {
    TestRing ring{8u << 20};
    ring.begin_run(1);
    ring.write(std::string(1'500'000, 'a') + "needle" + std::string(1'500'000, 'b') + "\nneedle\n");
    const auto found = search(ring, "needle");
    REQUIRE(found.lines.size() == 2);
    CHECK(found.lines[0].begin == ring::Lines::kLongest);
    CHECK(found.lines[0].partial);
    CHECK(found.lines[0].number == 1);
    CHECK(found.lines[1].number == 2);
}

TEST_CASE("no control sequence reaches the reader", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("\033[31mer\033[0mror\033]0;title\a \x9b\x07\n");
    const auto found = search(ring, "^error");
    REQUIRE(found.matches == 1);
    for (const char c : found.lines[0].text) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
}

TEST_CASE("since a time, lines that ended then or later are searched", "[logs][search]") {
    TestRing ring;
    ring.begin_run(1);
    ring.write("error 1\nerror 2 goes ");
    const auto before = ring.reader().chunks(0, UINT64_MAX).back().time_ns;
    ring.write("on\nerror 3\n", Stream::merged);
    auto later = before;
    while (later <= before) {  // a chunk of a later time: the writer merges those of one quantum
        ring.write("x", Stream::err);
        ring.write("error 4\n");
        later = ring.reader().chunks(0, UINT64_MAX).back().time_ns;
    }
    LogQuery query;
    query.since_ns = before;
    const auto all = search(ring, "error", query);
    CHECK(all.matches >= 3);
    query.since_ns = later;
    const auto found = search(ring, "error", query);
    CHECK(texts_of(found) == Texts{"error 4"});
    query.since_ns = INT64_MAX;
    CHECK(search(ring, "error", query).matches == 0);
}

TEST_CASE("when patience ends, the answer says what was not searched, and where to go on", "[logs][search]") {
    TestRing ring{4u << 20};
    ring.begin_run(1);
    const auto text = numbered(100'000, 300'000);
    ring.write(text);
    LogQuery query = with_head(1'000'000);
    query.max_chars = ring::kMaxCharacters;
    SearchPatience none;
    none.whole = std::chrono::steady_clock::time_point::min();
    std::uint64_t matches = 0;
    int pages = 0;
    for (bool more = true; more; ++pages) {
        const auto page = search(ring, "7$", query, none);
        matches += page.matches;
        CHECK(page.shown == page.matches);
        CHECK(page.cursor + page.unsearched_bytes == text.size());
        CHECK(page.more == (page.unsearched_bytes > 0));
        query.cursor = page.cursor;
        more = page.more;
    }
    CHECK(pages > 3);
    CHECK(matches == 20'000);

    SearchPatience for_lines;
    for_lines.counting = {};
    const auto first = search(ring, "7$", with_head(3), for_lines);
    CHECK(first.shown == 3);
    CHECK(first.more);
    CHECK(first.unsearched_bytes > 0);
    CHECK(first.matches < 20'000);
}

TEST_CASE("a file that is cut short is an answer", "[logs][search]") {
    TestRing ring{1u << 20};
    ring.begin_run(1);
    ring.write(numbered(1, 50'000));
    const ring::LinePattern pattern{"line"};
    LineMatcher matcher{pattern};
    LogSearch search{ring.reader(), matcher, {}, {}};
    REQUIRE(search.step());
    REQUIRE(::truncate(ring.paths().ring.c_str(), 400'000) == 0);
    while (search.step()) {
    }
    const auto found = search.take();
    CHECK(found.lost_bytes > 0);
    CHECK(found.cursor == ring.writer().tail());
}
