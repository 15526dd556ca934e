#include "protocol/ring/plain_text.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

using pp::ring::PlainText;

namespace {

std::string plain(std::string_view bytes, PlainText::Options options = {}) {
    PlainText view{options};
    std::string text;
    view.feed(bytes, text);
    view.finish(text);
    return text;
}

/// The same, cut at every byte.
std::string plain_in_pieces(std::string_view bytes, std::size_t size) {
    PlainText view;
    std::string text;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) view.feed(bytes.substr(0, size), text);
    view.finish(text);
    return text;
}

bool has_control_character(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) return true;
        if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    }
    return false;
}

bool is_utf8(std::string_view text) {
    PlainText view{{false, SIZE_MAX / 2}};
    std::string out;
    view.feed(text, out);
    view.finish(out);
    return view.replaced_bytes() == 0;
}

const std::vector<std::pair<std::string, std::string>> kExamples = {
    {"plain\n", "plain\n"},
    {"no newline", "no newline"},
    {"a\r\nb\r\n", "a\nb\n"},
    {"a\r\r\nb\n", "a\nb\n"},
    {"foo\rbar\r\n", "bar\n"},
    {"0%\r1%\r2%\r3%\r\n", "3%\n"},
    {"0%\r", "0%"},
    {"a\tb\n", "a\tb\n"},
    {"ab\b \bc\n", "ac\n"},
    {"\b\bx\n", "x\n"},
    {"\xC3\xA4\bx\n", "x\n"},
    {"x\by_\bz\n", "yz\n"},
    {"\x1b[31mred\x1b[0m\n", "red\n"},
    {"\x1b[38;2;1;2;3mrgb\x1b[K\n", "rgb\n"},
    {"\x1b[?25lhidden cursor\x1b[?25h\n", "hidden cursor\n"},
    {"\x1b]0;title\x07text\n", "text\n"},
    {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"},
    {"\x1bPq#0;2;0;0;0\x1b\\after\n", "after\n"},
    {"\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x\n", "x\n"},
    {"\x1b(Bcharset\x1b=keypad\x1b>\n", "charsetkeypad\n"},
    {"\xC2\x9B" "31mc1\n", "c1\n"},
    {"\xC2\x9D" "0;t\xC2\x9Cx\n", "x\n"},
    {"\x1b]0;never ended\nnext\n", "\nnext\n"},
    {"\x1b[12\nnext\n", "\nnext\n"},
    {"bell\x07 vt\x0b ff\x0c del\x7f nul", "bell vt ff del nul"},
    {std::string{"a\0b\n", 4}, "ab\n"},
    {"a\xFF" "b\n", "a\xEF\xBF\xBD" "b\n"},
    {"\xE2\x82\n", "\xEF\xBF\xBD\n"},
    {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xE2\x82\xAC \xF0\x9F\x98\x80\n", "\xE2\x82\xAC \xF0\x9F\x98\x80\n"},
    {"same\nsame\nsame\nother\n", "same … ×3\nother\n"},
    {"a\na\n", "a … ×2\n"},
    {"\n\n\nx\n", "… ×3\nx\n"},
    {"a\na", "a\na"},
    {"\x1b[1G\x1b[0Kone\x1b[1G\x1b[0Ktwo\n", "two\n"},
};

}  // namespace

TEST_CASE("the plain view shows a line's last text without sequences and control characters", "[ring][plain]") {
    for (const auto& [bytes, text] : kExamples) {
        CAPTURE(bytes);
        CHECK(plain(bytes) == text);
    }
}

TEST_CASE("the plain view does not depend on how the bytes were cut", "[ring][plain]") {
    std::string all;
    for (const auto& [bytes, text] : kExamples) {
        CAPTURE(bytes);
        CHECK(plain_in_pieces(bytes, 1) == text);
        all += bytes + "\n";
    }
    for (const std::size_t size : {1, 2, 3, 5, 7, 64}) CHECK(plain_in_pieces(all, size) == plain(all));
}

TEST_CASE("invalid bytes are counted", "[ring][plain]") {
    PlainText view;
    std::string text;
    view.feed("a\xFF\xFE \xE2\x82 ok\n\xE2", text);
    CHECK(view.replaced_bytes() == 4);
    view.finish(text);
    CHECK(view.replaced_bytes() == 5);
}

TEST_CASE("equal lines stay as they are when folding is off", "[ring][plain]") {
    CHECK(plain("a\na\na\n", {false, 65536}) == "a\na\na\n");
}

TEST_CASE("a flushed line is not overwritten but followed by another", "[ring][plain]") {
    PlainText view;
    std::string text;
    view.feed("Password: ", text);
    view.flush(text);
    CHECK(text == "Password: ");
    view.feed("***\n", text);
    view.feed("0%", text);
    view.flush(text);
    view.feed("\r50%\r100%\n", text);
    view.finish(text);
    CHECK(text == "Password: ***\n0%\n100%\n");
}

TEST_CASE("a gigabyte on one line is passed on in pieces", "[ring][plain]") {
    PlainText view;
    std::string text;
    const std::string block(1 << 20, 'x');
    std::uint64_t shown = 0;
    for (int i = 0; i < 1024; ++i) {
        view.feed(block, text);
        shown += text.size();
        text.clear();
        REQUIRE(view.held().size() <= (64u << 10));
    }
    view.feed("\rlast\n", text);
    view.finish(text);
    CHECK(shown + text.size() >= 1024ull << 20);
    CHECK(text.ends_with("\nlast\n"));
}

TEST_CASE("characters are not cut where an overlong line is", "[ring][plain]") {
    std::string line;
    for (int i = 0; i < 50000; ++i) line += "\xE2\x82\xAC";
    CHECK(plain(line, {true, 1000}) == line);
    CHECK(plain("x" + line, {true, 1000}) == "x" + line);
}

TEST_CASE("a sequence that never ends hides no more than its limit", "[ring][plain]") {
    const std::string text = plain("\x1b]0;" + std::string(1 << 20, 'x') + "END");
    CHECK(text.ends_with("END"));
    CHECK(plain("\x1b[" + std::string(10000, '1') + "END").ends_with("END"));
    CHECK(plain("\x1b " + std::string(10000, ' ') + "END").ends_with("END"));
}

TEST_CASE("streams shown together do not cut each other's characters", "[ring][plain]") {
    PlainText view;
    std::string text;
    view.feed("\xE2\x82", text, 1);
    view.feed("err ", text, 2);
    view.feed("\xAC\n", text, 1);
    view.finish(text);
    CHECK(text == "err \xE2\x82\xAC\n");
    CHECK(view.replaced_bytes() == 0);
}

TEST_CASE("no bytes make the plain view give out a control character", "[ring][plain]") {
    std::mt19937 random{20261121};
    const std::string favourites = "\x1b\x1b[]P\\_0;mGK\r\n\b\t\x07\xC2\x9B\x9C\xE2\x82\xAC\xF0\x9F\x98\x80 ab";
    for (int round = 0; round < 2000; ++round) {
        std::string bytes;
        for (int i = 0; i < 200; ++i) {
            const auto pick = random();
            bytes += pick % 4 == 0 ? static_cast<char>(pick >> 8) : favourites[(pick >> 8) % favourites.size()];
        }
        const std::string text = plain(bytes, {true, 50});
        REQUIRE_FALSE(has_control_character(text));
        REQUIRE(is_utf8(text));
        REQUIRE(plain_in_pieces(bytes, 1) == plain(bytes));
    }
}
