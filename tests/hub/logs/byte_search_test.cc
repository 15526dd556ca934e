#include "hub/logs/byte_search.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace pp::hub;

namespace {

std::vector<Instructions> all_instructions() {
    std::vector<Instructions> all{Instructions::portable};
    if (best_instructions() >= Instructions::sse2) all.push_back(Instructions::sse2);
    if (best_instructions() >= Instructions::avx2) all.push_back(Instructions::avx2);
    return all;
}

std::string lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return text;
}

std::size_t find_naively(const std::string& text, const std::vector<std::pair<std::string, bool>>& wanted) {
    std::size_t best = text.size();
    for (const auto& [one, ignores_case] : wanted)
        best = std::min(best, ignores_case ? lower(text).find(lower(one)) : text.find(one));
    return best;
}

std::string random_text(std::mt19937& random, std::size_t size, const std::string& letters) {
    std::string text(size, ' ');
    for (char& c : text) c = letters[random() % letters.size()];
    return text;
}

}  // namespace

TEST_CASE("a byte that the plain view might change is found wherever it stands, and no other", "[logs][bytes]") {
    for (const auto instructions : all_instructions()) {
        for (int byte = 0; byte < 256; ++byte) {
            const bool is_plain = (byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\t';
            for (const std::size_t size : {1, 15, 16, 17, 32, 63, 64, 65, 127, 128, 129, 200}) {
                for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
                    std::string text(size, 'a');
                    text[at] = static_cast<char>(byte);
                    CHECK(find_unplain(text, instructions) == (is_plain ? size : at));
                }
            }
        }
        CHECK(find_unplain("", instructions) == 0);
    }
}

TEST_CASE("one of several texts is found where the first one begins, as a naive search finds it", "[logs][bytes]") {
    std::mt19937 random{7};
    const std::string letters = "abAB-0 \n";
    for (int round = 0; round < 3000; ++round) {
        const auto text = random_text(random, random() % 300, letters);
        std::vector<std::pair<std::string, bool>> wanted;
        std::vector<Atom> atoms;
        for (auto i = random() % 3 + 1; i > 0; --i) {
            wanted.emplace_back(random_text(random, random() % 6 + 1, letters), random() % 2 == 0);
            atoms.emplace_back(wanted.back().first, wanted.back().second);
        }
        for (const auto instructions : all_instructions()) {
            CAPTURE(text, wanted, static_cast<int>(instructions));
            REQUIRE(AtomFinder{atoms, instructions}.find(text) == find_naively(text, wanted));
        }
    }
}

TEST_CASE("a text is found at every distance from a block's ends", "[logs][bytes]") {
    for (const auto instructions : all_instructions()) {
        const AtomFinder one{{{"timeout after", false}}, instructions};
        const AtomFinder two{{{"PANIC", true}, {"fatal error", true}}, instructions};
        for (std::size_t before = 0; before < 150; ++before) {
            for (std::size_t behind = 0; behind < 70; ++behind) {
                const std::string front(before, '.');
                const std::string back(behind, '.');
                CHECK(one.find(front + "timeout after" + back) == before);
                CHECK(two.find(front + "Fatal Error" + back) == before);
                CHECK(one.find(front + "timeout afte" + back) == before + 12 + behind);
            }
        }
    }
}

TEST_CASE("the rarest bytes of a text are the ones that are looked for", "[logs][bytes]") {
    const Atom atom{"Timeout after x", true};
    CHECK(atom.text == "timeout after x");
    CHECK(atom.text[atom.rare.first] == 'x');
    CHECK(atom.rare.first != atom.rare.second);
    CHECK(Atom{"ee", false}.rare.first != Atom{"ee", false}.rare.second);
    CHECK(Atom{"xyz", false}.commonness < Atom{"ate", false}.commonness);
}
