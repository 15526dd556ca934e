// What the matcher finds in blocks, held against each line's plain view tried by RE2 for itself.
#include "hub/logs/line_matcher.h"

#include <catch2/catch.hpp>
#include <random>

#include "hub/logs/required_atoms.h"

using namespace pp;
using namespace pp::hub;

namespace {

struct Wanted {
    std::string text;
    ring::LinePattern::Options options;
};

std::vector<LineSpan> find_naively(const std::string& block, const ring::LinePattern& pattern) {
    std::vector<LineSpan> found;
    for (std::size_t begin = 0; begin < block.size();) {
        const auto newline = block.find('\n', begin);
        const auto end = newline == std::string::npos ? block.size() : newline + 1;
        const auto size = newline == std::string::npos ? end - begin : newline - begin;
        if (pattern.matches(ring::plain_view(block.substr(begin, size)))) found.push_back({begin, end});
        begin = end;
    }
    return found;
}

std::vector<LineSpan> find(const std::string& block, const ring::LinePattern& pattern,
                           Instructions instructions = best_instructions()) {
    LineMatcher matcher{pattern, instructions};
    std::vector<LineSpan> found;
    matcher.find(block, found);
    return found;
}

std::size_t count(const std::string& block, const std::string& text, ring::LinePattern::Options options = {}) {
    return find(block, ring::LinePattern{text, options}).size();
}

std::string random_block(std::mt19937& random) {
    static const std::vector<std::string> kParts{
        "error",      "Error",   "ERROR ",    "timeout after ", "12",       "ms",     " ",          "\n",          "\n",
        "\033[31m",   "\033[0m", "\r",        "\r\n",           "\b",       "\t",     "é",          "ſ",           "K",
        "\xff",       "\xC3",    "\xC2\x9B",  "panic",          "id=7",     "-",      "0a1b2c3d",   "\033]0;x\a",  "\x01",
        std::string(1, '\0'),    "a long stretch of plain text that vectors pass over quickly, without a look", "x", "\x7f"};
    std::string block;
    for (auto parts = random() % 60; parts > 0; --parts) block += kParts[random() % kParts.size()];
    return block;
}

}  // namespace

TEST_CASE("blocks give the lines that a look at each line's plain view gives", "[logs][matcher]") {
    const std::vector<Wanted> all{{"error", {}},
                                  {"error", {false, true}},
                                  {"ERROR .*timeout after [0-9]+ms", {}},
                                  {"(?i)error|panic", {}},
                                  {"^error", {}},
                                  {"ms$", {}},
                                  {"^$", {}},
                                  {"^\\s*$", {}},
                                  {"[0-9a-f]{8}", {}},
                                  {"id=\\d", {}},
                                  {"a*", {}},
                                  {"é", {}},
                                  {"(?i)É", {}},
                                  {"s", {false, true}},
                                  {"K", {false, true}},
                                  {"k", {true, true}},
                                  {"ſ", {true, true}},
                                  {"\\Aerror", {}},
                                  {"ms\\z", {}},
                                  {"r\\C", {}},
                                  {"(?-m)^error", {}},
                                  {"[^e]rror", {}},
                                  {"o\\ser", {}},
                                  {"\xEF\xBF\xBD", {}},
                                  {"\\[31m", {}},
                                  {"[31m", {true, false}},
                                  {"x|y|z|panic|12", {}},
                                  {"\\bpanic\\b", {}},
                                  {".", {}},
                                  {"r.t", {}}};
    std::mt19937 random{3};
    for (int round = 0; round < 400; ++round) {
        const auto block = random_block(random);
        for (const auto& wanted : all) {
            const ring::LinePattern pattern{wanted.text, wanted.options};
            const auto naive = find_naively(block, pattern);
            for (const auto instructions : {Instructions::portable, best_instructions()}) {
                CAPTURE(wanted.text, block);
                REQUIRE(find(block, pattern, instructions) == naive);
            }
        }
    }
}

TEST_CASE("a word is found though colour codes stand in it, and what was overwritten is not", "[logs][matcher]") {
    const std::string block =
        "\033[1mer\033[31mror\033[0m: foo\n"
        "10 %\r20 %\rdone\n"
        "typos\b: typo\n"
        "plain\r\n";
    CHECK(count(block, "error: foo") == 1);
    CHECK(count(block, "^error") == 1);
    CHECK(count(block, "20 %") == 0);
    CHECK(count(block, "^done$") == 1);
    CHECK(count(block, "typo:") == 1);
    CHECK(count(block, "plain$") == 1);
    CHECK(count(block, "\033", {true, false}) == 0);
}

TEST_CASE("nothing matches over the end of a line", "[logs][matcher]") {
    const std::string block = "one\ntwo\n\nthree";
    CHECK(count(block, "one[^x]two") == 0);
    CHECK(count(block, "one\\s") == 0);
    CHECK(count(block, "(?s)one.") == 0);
    CHECK(count(block, "e\\C") == 1);  // in thr(ee)
    CHECK(count(block, "^") == 4);
    CHECK(count(block, "\\n") == 0);
}

TEST_CASE("characters are whole: a dot is one, and case is that of all letters", "[logs][matcher]") {
    CHECK(count("aéb\n", "a.b") == 1);
    CHECK(count("\"é\"\n", "\"[^\"]\"") == 1);
    CHECK(count("ÄRGER\n", "ärger", {true, true}) == 1);
    CHECK(count("\u212Aelvin\n", "kelvin", {true, true}) == 1);
    CHECK(count("ba\xffse\n", "ba.se") == 1);
}

TEST_CASE("an expression is looked for by the texts that it needs", "[logs][matcher]") {
    const auto texts = [](const std::string& expression) {
        std::vector<std::string> found;
        for (const auto& atom : required_atoms(ring::LinePattern{expression})) found.push_back(atom.text);
        std::sort(found.begin(), found.end());
        return found;
    };
    using Texts = std::vector<std::string>;
    CHECK(texts("ERROR .*timeout after [0-9]+ms") == Texts{"timeout after "});
    CHECK(texts("(?i)panic|fatal|segfault") == Texts{"fatal", "panic", "segfault"});
    CHECK(texts("[0-9a-f]{8}-[0-9a-f]{4}").empty());
    CHECK(texts("a*").empty());
    CHECK(texts("x|yy").empty());
    CHECK(texts("(one|two|three|four|five|six|seven|eight|nine)teen").empty());
}
