#include "cli/time_input.h"

#include <catch2/catch.hpp>

#include "cli/failure.h"

using namespace pp::cli;
using namespace std::chrono_literals;

TEST_CASE("a duration is a number with a unit, or bare seconds", "[cli][time]") {
    CHECK(find_duration("5s") == 5000ms);
    CHECK(find_duration("2m") == 120s);
    CHECK(find_duration("1.5h") == 90min);
    CHECK(find_duration("300ms") == 300ms);
    CHECK(find_duration("2d") == 48h);
    CHECK(find_duration("7") == 7s);
    CHECK(find_duration("0.25") == 250ms);
    CHECK(find_duration("0") == 0ms);
    for (const char* bad :
         {"", "s", "-5", "-1s", "5 s", "5x", "1e3", "nan", "inf", "5s5", "0x10", "99999999999999999d"}) {
        INFO(bad);
        CHECK_FALSE(find_duration(bad));
    }
}

TEST_CASE("a time is ISO 8601, or so long ago", "[cli][time]") {
    constexpr std::int64_t kNow = 1'700'000'000'000'000'000;
    CHECK(find_time("1970-01-01T00:00:00Z", kNow) == 0);
    CHECK(find_time("2023-11-14T22:13:20Z", kNow) == kNow);
    CHECK(find_time("2023-11-14T22:13:20.123Z", kNow) == kNow + 123'000'000);
    CHECK(find_time("2023-11-14T23:13:20+01:00", kNow) == kNow);
    CHECK(find_time("2023-11-14T16:43:20-0530", kNow) == kNow);
    CHECK(find_time("2023-11-14 22:13:20", kNow) == kNow);
    CHECK(find_time("2023-11-14T22:13", kNow) == kNow - 20'000'000'000);
    CHECK(find_time("2023-11-14", kNow) == kNow - ((22 * 60 + 13) * 60 + 20) * 1'000'000'000LL);
    CHECK(find_time("5m", kNow) == kNow - 300'000'000'000);
    CHECK(find_time("5m ago", kNow) == kNow - 300'000'000'000);
    for (const char* bad :
         {"", "yesterday", "2023-02-30", "2023-13-01", "2023-11-14T25:00", "2023-11-14T22:13:20.Z",
          "2023-11-14T22:13:20Q", "2023-11-14Tx", "9999-01-01", "12:00"}) {
        INFO(bad);
        CHECK_FALSE(find_time(bad, kNow));
    }
}

TEST_CASE("what is no time, duration or number is refused with what would be right", "[cli][time]") {
    CHECK_THROWS_WITH(parse_duration("--timeout", "soon"),
                      Catch::Contains("--timeout is 'soon'") && Catch::Contains("5s"));
    CHECK_THROWS_WITH(parse_time("--since", "noon", 0),
                      Catch::Contains("--since is 'noon'") && Catch::Contains("5m"));
    CHECK_THROWS_WITH(parse_number("--lines", "-5", 0),
                      Catch::Contains("--lines is '-5'") && Catch::Contains("0 or more"));
    CHECK(parse_number("--lines", "12", 0) == 12);
    CHECK_THROWS_AS(parse_number("--lines", "12x", 0), Failure);
}

TEST_CASE("a duration is said in its two largest units", "[cli][time]") {
    CHECK(duration_text(300ms) == "0.3 s");
    CHECK(duration_text(42s) == "42 s");
    CHECK(duration_text(200s) == "3 min 20 s");
    CHECK(duration_text(2h + 5min) == "2 h 5 min");
    CHECK(duration_text(49h) == "2 d 1 h");
}
