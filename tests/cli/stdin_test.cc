#include <catch2/catch.hpp>

#include "cli/run/stdin_pump.h"

using namespace pp::cli;

TEST_CASE("input is text as far as its characters are whole", "[cli][stdin]") {
    CHECK(whole_text("abc").size == 3);
    CHECK(whole_text("ä€😀").size == 9);
    const auto cut = whole_text("ab\xe2\x82");
    CHECK(cut.size == 2);
    CHECK(cut.unfinished);
    for (const char* bad : {"ab\xff", "ab\xc0\x80", "ab\xe0\x80\x80", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
                            "ab\x80", "ab\xe2z"}) {
        const auto text = whole_text(bad);
        CHECK(text.size == 2);
        CHECK_FALSE(text.unfinished);
    }
}
