#include "protocol/ring/line_pattern.h"

#include <catch2/catch.hpp>

using namespace pp::ring;

namespace {

std::string complaint(const std::string& text, LinePattern::Options options = {}) {
    try {
        const LinePattern pattern{text, options};
        return {};
    } catch (const BadPattern& bad) {
        return bad.what();
    }
}

}  // namespace

TEST_CASE("a pattern that is none is told what is wrong, and where", "[ring][pattern]") {
    CHECK(complaint("error [0-9") ==
          "is no regular expression (RE2 syntax): missing ]: [0-9 (at character 7)");
    CHECK(complaint("é(?z)") == "is no regular expression (RE2 syntax): invalid perl operator: (?z (at character 2)");
    CHECK(complaint("a(b") == "is no regular expression (RE2 syntax): missing ): a(b");
    CHECK(complaint("x**y**") == "is no regular expression (RE2 syntax): bad repetition operator: **");
    CHECK(complaint("a\\").find("trailing \\") != std::string::npos);
    CHECK(complaint("\xff").find("invalid UTF-8") != std::string::npos);
    CHECK(complaint("(a{1000}){1000}").find("repetition") != std::string::npos);
    CHECK(complaint(std::string(5000, 'a')) == "has 5000 bytes; at most 4096 are taken");
    CHECK(complaint("a\nb").find("holds a newline") != std::string::npos);
}

TEST_CASE("a literal means itself, whatever stands in it", "[ring][pattern]") {
    const LinePattern dots{"a.b(", {true, false}};
    CHECK(dots.matches("xa.b(y"));
    CHECK_FALSE(dots.matches("aXb("));
    CHECK(dots.literal() == "a.b(");
    CHECK(LinePattern{"a b"}.literal() == "a b");
    CHECK_FALSE(LinePattern{"a.b"}.literal());
}

TEST_CASE("the ends of a line are its ends, in every notation", "[ring][pattern]") {
    for (const char* text : {"^ab$", "\\Aab\\z", "(?-m)^ab$", "(?m)^ab$"}) {
        INFO(text);
        CHECK(LinePattern{text}.matches("ab"));
        CHECK_FALSE(LinePattern{text}.matches("xab"));
    }
}

TEST_CASE("the first match in a line is told", "[ring][pattern]") {
    const auto found = LinePattern{"b+", {false, true}}.find("aBBc bb");
    REQUIRE(found);
    CHECK(found->begin == 1);
    CHECK(found->end == 3);
    CHECK_FALSE(LinePattern{"x"}.find("aBBc"));
}

TEST_CASE("what kills other engines takes no time", "[ring][pattern]") {
    CHECK_FALSE(LinePattern{"(a+)+$"}.matches(std::string(5000, 'a') + "!"));
    CHECK_FALSE(LinePattern{"(x|x)*y"}.matches(std::string(5000, 'x')));
}
