#include "hub/operations/moment.h"

#include <catch2/catch.hpp>

#include "hub/operations/login_environment.h"

using namespace pp;
using namespace pp::hub;
using namespace std::string_literals;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'800'000'000 * kSecond;

}  // namespace

TEST_CASE("a moment is ISO 8601 or how long ago", "[hub][moment]") {
    CHECK(find_moment("5m", kNow) == kNow - 300 * kSecond);
    CHECK(find_moment("1.5h", kNow) == kNow - 5400 * kSecond);
    CHECK(find_moment("90", kNow) == kNow - 90 * kSecond);
    CHECK(find_moment("2027-01-15T08:00:00Z", kNow) == kNow);
    CHECK(find_moment("2027-01-15T08:00:00.250Z", kNow) == kNow + kSecond / 4);
    CHECK(find_moment("2027-01-15T10:00+02:00", kNow) == kNow);
    CHECK(find_moment("2027-01-15 08:00:00", kNow) == kNow);
    CHECK(find_moment("2027-01-15", kNow) == kNow - 8 * 3600 * kSecond);
}

TEST_CASE("what is no moment is not taken for one", "[hub][moment]") {
    for (const char* text : {"", "yesterday", "5 m", "-5m", "5y", "2027-02-31", "2027-13-01",
                             "2027-01-15T25:00", "2027-01-15T08:00:00Zx", "inf", "nan", "1e300"})
        CHECK_FALSE(find_moment(text, kNow));
}

TEST_CASE("a size has K, M and G", "[hub][moment]") {
    CHECK(find_size("16M") == 16u << 20);
    CHECK(find_size("64KiB") == 64u << 10);
    CHECK(find_size("1G") == 1u << 30);
    CHECK(find_size("4096") == 4096);
    CHECK_FALSE(find_size("3Q"));
    CHECK_FALSE(find_size("-1"));
    CHECK_FALSE(find_size(""));
}

TEST_CASE("an environment comes back as it was kept", "[hub][environment]") {
    const rundir::Environment environment{{"A", "1"}, {"EMPTY", ""}, {"LINES", "a\nb=c"}};
    CHECK(parse_environment(print_environment(environment)) == environment);
    CHECK(parse_environment("=x\0nothing\0A=1\0"s).size() == 1);
}

TEST_CASE("a login shell is asked, and not waited for too long", "[hub][environment]") {
    const rundir::Environment base{{"PATH", "/usr/bin:/bin"}, {"MARK", "x"}};
    const auto found = find_login_environment("/bin/sh", base, std::chrono::seconds{20});
    REQUIRE(found);
    CHECK(found->at("MARK") == "x");
    CHECK_FALSE(find_login_environment("/nowhere/shell", base, std::chrono::seconds{20}));
    CHECK_FALSE(find_login_environment("/usr/bin/yes", base, std::chrono::milliseconds{50}));
}
