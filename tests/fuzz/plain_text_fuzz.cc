// What a program wrote for a terminal, as text: clean, and the same however the bytes are cut.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/ring/plain_text.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/input.h"

namespace {

using pp::fuzz::expect;
using pp::fuzz::Input;
using pp::ring::PlainText;

struct Piece {
    std::size_t lane;
    std::string_view bytes;
};

std::vector<Piece> pieces_of(Input& input) {
    std::vector<Piece> pieces;
    while (!input.empty()) {
        const auto head = input.take<std::uint8_t>();
        pieces.push_back({head % PlainText::kLanes, input.bytes(head / PlainText::kLanes * 4U + 1U)});
    }
    return pieces;
}

/// Fed in steps of so many bytes.
std::string text_of(PlainText& plain, const std::vector<Piece>& pieces, std::size_t step) {
    std::string text;
    for (const auto& piece : pieces) {
        for (std::size_t at = 0; at < piece.bytes.size(); at += step)
            plain.feed(piece.bytes.substr(at, step), text, piece.lane);
    }
    plain.finish(text);
    return text;
}

/// Length of the character at the front, or 0 if that is no UTF-8 (RFC 3629) or a control character but \n and \t.
std::size_t clean_character(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const auto follows = [&](std::size_t from, std::size_t to) {
        for (auto at = from; at < to; ++at) {
            if ((byte(at) & 0xC0U) != 0x80U) return false;
        }
        return true;
    };
    const unsigned first = byte(0);
    const unsigned second = byte(1);
    if (first < 0x80) return (first >= 0x20 && first != 0x7F) || first == '\n' || first == '\t' ? 1 : 0;
    if (first >= 0xC2 && first <= 0xDF) return follows(1, 2) && (first != 0xC2 || second >= 0xA0) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool fits = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0);
        return fits && follows(1, 3) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool fits = (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
        return fits && follows(1, 4) ? 4 : 0;
    }
    return 0;
}

std::size_t newlines(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    PlainText::Options options;
    options.fold_repeats = input.flag();
    options.line_limit = input.take<std::uint8_t>() * 4U + 4U;
    const auto pieces = pieces_of(input);
    std::size_t bytes = 0;
    std::size_t lines = 0;
    for (const auto& piece : pieces) {
        bytes += piece.bytes.size();
        lines += newlines(piece.bytes);
    }

    PlainText whole{options};
    PlainText by_byte{options};
    const auto text = text_of(whole, pieces, SIZE_MAX / 2);
    expect(text_of(by_byte, pieces, 1) == text, "how the bytes are cut makes no difference");
    expect(whole.replaced_bytes() == by_byte.replaced_bytes(), "nor to what was replaced");
    expect(whole.replaced_bytes() <= bytes, "no more bytes were replaced than there are");

    std::size_t characters = 0;
    for (std::string_view left{text}; !left.empty(); ++characters) {
        const auto length = clean_character(left);
        expect(length > 0, "plain text is UTF-8 without control characters");
        left.remove_prefix(length);
    }
    expect(pp::ring::count_characters(text) == characters, "characters are counted right");
    if (options.fold_repeats) return 0;
    expect(characters <= bytes, "no byte makes more than one character");
    // what was given out of an overlong line cannot be overwritten any more: the new text gets a line of its own
    const bool is_overlong = 3 * bytes > options.line_limit;  // as many as U+FFFD takes
    expect(newlines(text) == lines || (is_overlong && newlines(text) > lines), "the text has the lines of the bytes");
    return 0;
}
