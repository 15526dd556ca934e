// Searches against a writer at full speed that overwrites what is searched: each line says by itself whether it is whole.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/hub/logs/searched.h"

using namespace pp;
using namespace pp::hub;
using test::search;
using test::TestRing;

namespace {

constexpr std::size_t kLine = 64;

/// "000000042 <letters that follow from 42> 000000042\n"
std::string line_of(std::uint64_t number) {
    std::array<char, 24> digits{};
    std::snprintf(digits.data(), digits.size(), "%09llu", static_cast<unsigned long long>(number));
    std::string line = digits.data();
    line += ' ';
    for (auto seed = number * 0x9E3779B97F4A7C15; line.size() < kLine - 11; seed = seed * 6364136223846793005 + 1)
        line += static_cast<char>('a' + (seed >> 59) % 26);
    return line + ' ' + digits.data() + '\n';
}

/// How many of the lines are not what was written, or have another number.
std::uint64_t wrong_lines(const LogMatches& found) {
    std::uint64_t wrong = 0;
    for (const auto& line : found.lines) {
        if (line.partial || !line.match) continue;
        const auto number = line.begin / kLine;
        if (line.begin % kLine != 0 || line.text + '\n' != line_of(number)) ++wrong;
        if (line.number && *line.number != number + 1) ++wrong;
    }
    return wrong;
}

}  // namespace

TEST_CASE("a search never finds what a writer at full speed has torn, and knows what it lost", "[logs][race]") {
    constexpr std::uint64_t kLines = 400'000;
    for (const std::uint64_t capacity : {64u << 10, 256u << 10, 1u << 20}) {
        TestRing ring{capacity};
        ring.begin_run(1);
        ring.write(line_of(0));
        std::atomic<bool> done{false};
        std::thread writer{[&] {
            std::string block;
            for (std::uint64_t number = 1; number < kLines;) {
                block.clear();
                for (int i = 0; i < 400 && number < kLines; ++i) block += line_of(number++);
                ring.write(block);
            }
            done = true;
        }};
        std::uint64_t wrong = 0;
        std::uint64_t impossible = 0;
        std::uint64_t seen = 0;
        std::uint64_t lost = 0;
        for (bool last = false; !last;) {
            last = done;
            LogQuery query;
            query.context_lines = 1;
            for (const char* pattern : {"^[0-9]{9} [a-z]+ [0-9]{9}$", "7 [a-z]*q[a-z]* [0-9]+$", "abc"}) {
                const auto found = search(ring, pattern, query);
                wrong += wrong_lines(found);
                impossible += found.matches * kLine + found.lost_bytes > found.cursor ? 1 : 0;
                seen += found.shown;
                lost += found.lost_bytes;
            }
        }
        writer.join();
        CAPTURE(capacity);
        CHECK(wrong == 0);
        CHECK(impossible == 0);
        CHECK(seen > 0);
        CHECK(lost > 0);

        const auto all = search(ring, "^[0-9]{9} [a-z]+ [0-9]{9}$");
        CHECK(all.cursor == kLines * kLine);
        CHECK(all.lost_bytes == kLines * kLine - capacity - ring::kHeadSize);
        CHECK(all.matches == (capacity + ring::kHeadSize) / kLine);
    }
}
