#include "tests/torture/numbers.h"

#include <catch2/catch.hpp>
#include <string>

using namespace pp::torture;

namespace {

constexpr std::size_t kRecords = 1000;

std::string stream(const Numbers& numbers) {
    std::string text(kRecords * numbers.record_size(), '\0');
    numbers.fill(0, text);
    return text;
}

NumberCheck checked(const std::string& text, Numbers numbers = {}) {
    NumberCheck check{numbers};
    check.take(text);
    return check;
}

}  // namespace

TEST_CASE("a stream that arrives as it was written has no fault, in whatever pieces it comes", "[torture][numbers]") {
    const Numbers numbers{'o', GENERATE(false, true)};
    const auto text = stream(numbers);
    NumberCheck check{numbers};
    for (std::size_t at = 0, size = 1; at < text.size(); at += size, size = size * 7 % 1013)
        check.take(std::string_view{text}.substr(at, size));
    CHECK(check.faults().empty());
    CHECK(check.place() == text.size());
    CHECK(check.taken() == text.size());
}

TEST_CASE("any piece of a stream is what stands at its place", "[torture][numbers]") {
    const Numbers numbers{'e', true};
    const auto text = stream(numbers);
    for (const std::size_t begin : {0, 1, 63, 64, 65, 66, 1000}) {
        std::string piece(300, '\0');
        numbers.fill(begin, piece);
        CHECK(piece == text.substr(begin, piece.size()));
    }
}

TEST_CASE("lost bytes are counted, and it is said where", "[torture][numbers]") {
    auto text = stream({});
    text.erase(64 * 100 + 10, 6400 + 3);
    const auto check = checked(text);
    REQUIRE(check.faults().size() == 1);
    CHECK_THAT(check.faults()[0], Catch::Matchers::Contains("at byte 6411 (record 100, byte 11)"));  // what follows begins as what is missing
    CHECK(check.lost() == 6403);
    CHECK(check.doubled() == 0);
    CHECK(check.place() == kRecords * 64);
}

TEST_CASE("doubled bytes are counted", "[torture][numbers]") {
    auto text = stream({});
    text.insert(64 * 500, text.substr(64 * 400, 6400));
    const auto check = checked(text);
    CHECK(check.faults().size() == 1);
    CHECK(check.doubled() == 6400);
    CHECK(check.lost() == 0);
}

TEST_CASE("two records in each other's place are a fault", "[torture][numbers]") {
    auto text = stream({});
    const auto first = text.substr(640, 64);
    text.replace(640, 64, text.substr(704, 64));
    text.replace(704, 64, first);
    CHECK_FALSE(checked(text).faults().empty());
}

TEST_CASE("one wrong byte is a fault, wherever it is", "[torture][numbers]") {
    for (const std::size_t at : {0, 1, 20, 63, 64 * 999 + 63}) {
        auto text = stream({});
        text[at] ^= 1;
        const auto check = checked(text);
        CHECK(check.faults().size() == 1);
        CHECK(check.lost() + check.doubled() == 0);
    }
}

TEST_CASE("what is known to be missing is passed over, and nothing else", "[torture][numbers]") {
    const auto text = stream({});
    NumberCheck check{Numbers{}};
    check.take(std::string_view{text}.substr(0, 777));
    check.skip(100);
    check.take(std::string_view{text}.substr(877));
    CHECK(check.faults().empty());
    check.skip(1);
    check.take(std::string_view{text}.substr(0, 64));
    CHECK_FALSE(check.faults().empty());
}
