#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pp::ring {

/// Turns what a program wrote for a terminal into text: the plain view. A stream: chunks may be split at any byte.
///
/// - Escape sequences (CSI, OSC, DCS, SOS, PM, APC, 7 and 8 bit) and control characters are removed, NUL among them; \n and
///   \t stay. A newline ends any sequence, so that plain text has the lines of the bytes; so does a limit (64 KiB).
/// - CRLF is a newline. What a lone \r (or CSI 1G, which spinners use) lets later text overwrite is dropped: the line's last
///   text stays. A backspace erases the character before it.
/// - Invalid UTF-8 becomes U+FFFD, one for each maximal part, and its bytes are counted.
/// - Two or more equal lines in a row become one, `line … ×57`, if asked for.
///
/// Memory is bounded: of a line, 64 KiB are held; a longer one is passed on in pieces, which later text on it cannot
/// overwrite any more, and is never folded. Never gives out a control character but \n and \t.
class PlainText {
  public:
    struct Options {
        bool fold_repeats = true;
        std::size_t line_limit = 64u << 10;
    };
    /// Streams that are shown as one text but cut each other's sequences and characters nowhere: one lane each.
    static constexpr std::size_t kLanes = 4;

    PlainText() = default;
    explicit PlainText(Options options) : options_{options} {}

    /// Appends to `text` what is settled: whole lines, and pieces of overlong ones.
    void feed(std::string_view bytes, std::string& text, std::size_t lane = 0);

    /// Appends what is held back: folded lines, and the unfinished line as it stands. A later \r that would have overwritten
    /// it begins a new line instead. For followers, who want a prompt at once.
    void flush(std::string& text);

    /// The end: flush, and incomplete characters are invalid now. Begins anew after that.
    void finish(std::string& text);

    /// Forgets held text and all state, but not the count.
    void reset();

    /// Bytes that were not UTF-8.
    [[nodiscard]] std::uint64_t replaced_bytes() const { return replaced_bytes_; }
    /// The unfinished line as it stands, as far as it was not given out.
    [[nodiscard]] std::string_view held() const { return line_; }

  private:
    enum class State : std::uint8_t { text, escape, escape_intermediate, control_sequence, string, string_escape };
    struct Lane {
        State state = State::text;
        bool bell_ends = false;         ///< the string is an OSC
        bool c2_seen = false;           ///< in a string: the byte before was 0xC2
        std::uint8_t partial_size = 0;  ///< bytes of an incomplete character
        std::array<char, 4> partial{};
        std::uint32_t length = 0;  ///< of the sequence so far
        std::array<char, 4> parameters{};
    };

    void take(unsigned char byte, Lane& lane, std::string& text);
    void take_text(unsigned char byte, Lane& lane, std::string& text);
    void take_escape(unsigned char byte, Lane& lane, std::string& text);
    void take_control_sequence(unsigned char byte, Lane& lane, std::string& text);
    void take_string(unsigned char byte, Lane& lane, std::string& text);
    void take_control(unsigned char byte, std::string& text);
    void take_multibyte(unsigned char byte, Lane& lane, std::string& text);
    void take_c1(unsigned char byte, Lane& lane);
    void replace_partial(Lane& lane, std::string& text);
    void begin_string(Lane& lane, bool bell_ends);
    void put(std::string_view characters, std::string& text);
    void erase_last();
    void end_line(std::string& text);
    void give_out_repeats(std::string& text);

    Options options_;
    std::array<Lane, kLanes> lanes_{};
    std::string line_;            ///< the unfinished line, from what was passed on already
    std::size_t passed_on_ = 0;   ///< bytes of the unfinished line that were given out
    bool returned_ = false;       ///< a \r came: the next character overwrites
    std::string repeated_;        ///< the last whole line, not given out yet
    std::uint64_t repeats_ = 0;   ///< how often it came; 0: none is held
    std::uint64_t replaced_bytes_ = 0;
};

/// The plain view of a text that is all there is of it, however long its lines are.
std::string plain_view(std::string_view bytes);

/// Unicode characters in valid UTF-8.
std::size_t count_characters(std::string_view text);

/// `line` as a run of equal lines is written: "line … ×57"; the line itself if it came once. Without a newline.
std::string folded_line(std::string_view line, std::uint64_t count);

}  // namespace pp::ring
