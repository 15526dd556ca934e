#include "protocol/wire/base64.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using pp::wire::from_base64;
using pp::wire::to_base64;

TEST_CASE("bytes go through base64 and come back", "[wire][base64]") {
    const std::vector<std::pair<std::string, std::string>> kVectors = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    for (const auto& [bytes, text] : kVectors) {
        CHECK(to_base64(bytes) == text);
        CHECK(from_base64(text) == bytes);
    }
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    CHECK(from_base64(to_base64(all)) == all);
}

TEST_CASE("what is no base64 is refused", "[wire][base64]") {
    for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-_"})
        CHECK_FALSE(from_base64(text));
}
