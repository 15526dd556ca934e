#include "protocol/ring/plain_text.h"

#include <algorithm>

namespace pp::ring {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::uint32_t kMaxSequence = 256;                // longer than any CSI that a terminal would obey
constexpr std::uint32_t kMaxString = 64u << 10;            // of OSC and the like

constexpr unsigned char kEscape = 0x1B;
constexpr unsigned char kBell = 0x07;
constexpr unsigned char kBackspace = 0x08;
constexpr unsigned char kCancel = 0x18;
constexpr unsigned char kSubstitute = 0x1A;
constexpr unsigned char kDelete = 0x7F;

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }
bool is_printable_ascii(unsigned char byte) { return byte >= 0x20 && byte < kDelete; }

/// Bytes of the character that this one leads; 0 if none does.
std::size_t character_size(unsigned char lead) {
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

/// Whether `second` may follow `lead`: no overlong form, no surrogate, nothing above U+10FFFF (Unicode, table 3-7).
bool may_follow(unsigned char lead, unsigned char second) {
    switch (lead) {
        case 0xE0: return second >= 0xA0 && second <= 0xBF;
        case 0xED: return second >= 0x80 && second <= 0x9F;
        case 0xF0: return second >= 0x90 && second <= 0xBF;
        case 0xF4: return second >= 0x80 && second <= 0x8F;
        default: return is_continuation(second);
    }
}

}  // namespace

void PlainText::feed(std::string_view bytes, std::string& text, std::size_t lane_number) {
    Lane& lane = lanes_[lane_number % kLanes];
    while (!bytes.empty()) {
        if (lane.state == State::text && lane.partial_size == 0) {  // most of all text: one copy for a stretch of it
            const auto end = std::find_if_not(bytes.begin(), bytes.end(),
                                              [](char c) { return is_printable_ascii(static_cast<unsigned char>(c)); });
            const auto count = static_cast<std::size_t>(end - bytes.begin());
            if (count > 0) {
                put(bytes.substr(0, count), text);
                bytes.remove_prefix(count);
                continue;
            }
        }
        take(static_cast<unsigned char>(bytes.front()), lane, text);
        bytes.remove_prefix(1);
    }
}

void PlainText::take(unsigned char byte, Lane& lane, std::string& text) {
    switch (lane.state) {
        case State::text: return take_text(byte, lane, text);
        case State::escape:
        case State::escape_intermediate: return take_escape(byte, lane, text);
        case State::control_sequence: return take_control_sequence(byte, lane, text);
        case State::string:
        case State::string_escape: return take_string(byte, lane, text);
    }
}

void PlainText::take_text(unsigned char byte, Lane& lane, std::string& text) {
    if (lane.partial_size > 0 || byte >= 0x80) return take_multibyte(byte, lane, text);
    if (is_printable_ascii(byte)) {
        const char character = static_cast<char>(byte);
        return put({&character, 1}, text);
    }
    if (byte == kEscape) {
        lane.state = State::escape;
        lane.length = 0;
        return;
    }
    take_control(byte, text);
}

void PlainText::take_control(unsigned char byte, std::string& text) {
    if (byte == '\n')
        end_line(text);
    else if (byte == '\r')
        returned_ = true;
    else if (byte == kBackspace)
        erase_last();
    else if (byte == '\t')
        put("\t", text);
}

void PlainText::take_multibyte(unsigned char byte, Lane& lane, std::string& text) {
    if (lane.partial_size == 0) {
        if (character_size(byte) == 0) {
            ++replaced_bytes_;
            return put(kReplacement, text);
        }
        lane.partial[0] = static_cast<char>(byte);
        lane.partial_size = 1;
        return;
    }
    const auto lead = static_cast<unsigned char>(lane.partial[0]);
    const bool fits = lane.partial_size == 1 ? may_follow(lead, byte) : is_continuation(byte);
    if (!fits) {
        replace_partial(lane, text);
        return take_text(byte, lane, text);
    }
    lane.partial[lane.partial_size++] = static_cast<char>(byte);
    if (lane.partial_size < character_size(lead)) return;
    const std::string_view character{lane.partial.data(), lane.partial_size};
    lane.partial_size = 0;
    if (lead == 0xC2 && byte < 0xA0) return take_c1(byte, lane);
    put(character, text);
}

/// The 8-bit controls as UTF-8 spells them: U+0080 to U+009F.
void PlainText::take_c1(unsigned char byte, Lane& lane) {
    switch (byte) {
        case 0x90:
        case 0x98:
        case 0x9E:
        case 0x9F: return begin_string(lane, false);
        case 0x9D: return begin_string(lane, true);
        case 0x9B:
            lane.state = State::control_sequence;
            lane.length = 0;
            lane.parameters = {};
            return;
        default: return;
    }
}

void PlainText::replace_partial(Lane& lane, std::string& text) {
    replaced_bytes_ += lane.partial_size;
    lane.partial_size = 0;
    put(kReplacement, text);
}

void PlainText::begin_string(Lane& lane, bool bell_ends) {
    lane.state = State::string;
    lane.bell_ends = bell_ends;
    lane.c2_seen = false;
    lane.length = 0;
}

void PlainText::take_escape(unsigned char byte, Lane& lane, std::string& text) {
    if (byte == kEscape) {
        lane.state = State::escape;
        return;
    }
    if (byte >= 0x20 && byte <= 0x2F) {
        lane.state = ++lane.length > kMaxSequence ? State::text : State::escape_intermediate;
        return;
    }
    const bool introduces = lane.state == State::escape;
    lane.state = State::text;
    if (introduces) {
        switch (byte) {
            case '[':
                lane.state = State::control_sequence;
                lane.parameters = {};
                return;
            case ']': return begin_string(lane, true);
            case 'P':
            case 'X':
            case '^':
            case '_': return begin_string(lane, false);
            default: break;
        }
    }
    if (is_printable_ascii(byte) || byte == kDelete) return;  // the final byte
    take_text(byte, lane, text);
}

void PlainText::take_control_sequence(unsigned char byte, Lane& lane, std::string& text) {
    if (byte >= 0x20 && byte <= 0x3F) {
        if (lane.length < lane.parameters.size()) lane.parameters[lane.length] = static_cast<char>(byte);
        if (++lane.length > kMaxSequence) lane.state = State::text;
        return;
    }
    lane.state = State::text;
    if (byte >= 0x40 && byte < kDelete) {
        const bool first_column = lane.length == 0 || (lane.length == 1 && lane.parameters[0] == '1');
        if (byte == 'G' && first_column) returned_ = true;
        return;
    }
    if (byte != kCancel && byte != kSubstitute && byte != kDelete) take_text(byte, lane, text);
}

void PlainText::take_string(unsigned char byte, Lane& lane, std::string& text) {
    if (lane.state == State::string_escape) {  // ESC \ ends it; any other ESC begins something else
        lane.state = State::escape;
        lane.length = 0;
        if (byte == '\\')
            lane.state = State::text;
        else
            take_escape(byte, lane, text);
        return;
    }
    const bool ended = (byte == kBell && lane.bell_ends) || byte == kCancel || byte == kSubstitute ||
                       (byte == 0x9C && lane.c2_seen) || ++lane.length > kMaxString;
    lane.c2_seen = byte == 0xC2;
    if (ended) {
        lane.state = State::text;
    } else if (byte == kEscape) {
        lane.state = State::string_escape;
    } else if (byte == '\n') {
        lane.state = State::text;
        end_line(text);
    }
}

void PlainText::put(std::string_view characters, std::string& text) {
    if (returned_) {
        returned_ = false;
        if (passed_on_ > 0) {  // it stands already: the new text gets a line of its own
            text += line_;
            text += '\n';
            passed_on_ = 0;
        }
        line_.clear();
    }
    while (line_.size() + characters.size() > options_.line_limit) {
        auto room = options_.line_limit - std::min(line_.size(), options_.line_limit);
        if (room >= characters.size()) break;
        while (room > 0 && is_continuation(static_cast<unsigned char>(characters[room]))) --room;
        line_ += characters.substr(0, room);
        characters.remove_prefix(room);
        give_out_repeats(text);
        text += line_;
        passed_on_ += line_.size();
        if (line_.empty()) break;
        line_.clear();
    }
    line_ += characters;
}

void PlainText::erase_last() {
    if (returned_) return;  // in the first column there is nothing before it
    while (!line_.empty() && is_continuation(static_cast<unsigned char>(line_.back()))) line_.pop_back();
    if (!line_.empty()) line_.pop_back();
}

void PlainText::end_line(std::string& text) {
    returned_ = false;
    if (passed_on_ > 0 || !options_.fold_repeats) {
        give_out_repeats(text);
        text += line_;
        text += '\n';
    } else if (repeats_ > 0 && repeated_ == line_) {
        ++repeats_;
    } else {
        give_out_repeats(text);
        repeated_.swap(line_);
        repeats_ = 1;
    }
    passed_on_ = 0;
    line_.clear();
}

void PlainText::give_out_repeats(std::string& text) {
    if (repeats_ == 0) return;
    text += folded_line(repeated_, repeats_);
    text += '\n';
    repeats_ = 0;
    repeated_.clear();
}

void PlainText::flush(std::string& text) {
    give_out_repeats(text);
    text += line_;
    passed_on_ += line_.size();
    line_.clear();
}

void PlainText::finish(std::string& text) {
    for (Lane& lane : lanes_) {
        if (lane.partial_size > 0) replace_partial(lane, text);
    }
    flush(text);
    reset();
}

void PlainText::reset() {
    lanes_ = {};
    line_.clear();
    passed_on_ = 0;
    returned_ = false;
    repeated_.clear();
    repeats_ = 0;
}

std::string plain_view(std::string_view bytes) {
    PlainText plain{{false, SIZE_MAX / 2}};
    std::string text;
    plain.feed(bytes, text);
    plain.finish(text);
    return text;
}

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(static_cast<unsigned char>(c)); }));
}

std::string folded_line(std::string_view line, std::uint64_t count) {
    std::string folded{line};
    if (count < 2) return folded;
    if (!folded.empty()) folded += ' ';
    return folded + "… ×" + std::to_string(count);
}

}  // namespace pp::ring
