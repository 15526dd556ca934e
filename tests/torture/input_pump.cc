#include "tests/torture/input_pump.h"

#include <algorithm>

#include "protocol/rundir/home.h"

namespace pp::torture {
namespace {

constexpr char kMark = '>';
constexpr std::uint64_t kSmallestPiece = 200;  // holds a whole record, so that no other piece begins alike
constexpr std::uint64_t kLargestPiece = 20'000;

bool says_not_known(const Said& said) { return said.lost || said.text.find("is not known") != std::string::npos; }

}  // namespace

std::string InputPump::text_of(const Piece& piece) const {
    std::string text(piece.size + (piece.is_marked ? 1 : 0), kMark);
    numbers_.fill(piece.place, std::span{text}.last(piece.size));
    return text;
}

void InputPump::pump(const std::atomic<bool>& end, std::uint64_t most) {
    while (!end && place_ < most && refusals_.empty()) {
        send({place_, random_.within<std::uint64_t>(kSmallestPiece, kLargestPiece), true, true});
    }
    close();
}

/// Of what was taken in part the rest follows.
void InputPump::send(Piece piece) {
    while (true) {
        place_ = piece.place + piece.size;
        const auto text = text_of(piece);
        const auto said = client_.ask("send_input", {{"process", rundir::process_id(process_)}, {"text", text}});
        if (!said.ok) {
            if (!says_not_known(said)) refusals_.push_back(said.text);
            piece.is_certain = false;
            book_.push_back(piece);
            return;
        }
        const auto taken = said.result.at("taken").get<std::uint64_t>();
        const std::uint64_t left = text.size() - taken;
        piece.size -= std::min(left, piece.size);
        if (taken > 0) book_.push_back(piece);
        if (left == 0) return;
        const bool is_marked = piece.is_marked && taken == 0;
        piece = {piece.place + piece.size, left - (is_marked ? 1 : 0), is_marked, true};
    }
}

/// Whoever killed whom: once it is closed, that is told as a refusal.
void InputPump::close() {
    while (true) {
        const auto said = client_.ask("send_input", {{"process", rundir::process_id(process_)}, {"eof", true}});
        if (said.ok || !says_not_known(said)) return;
    }
}

std::uint64_t InputPump::unsure() const {
    return static_cast<std::uint64_t>(
        std::count_if(book_.begin(), book_.end(), [](const Piece& piece) { return !piece.is_certain; }));
}

std::vector<std::string> InputPump::faults_in(const std::string& arrived) const {
    std::size_t at = 0;
    for (const auto& piece : book_) {
        const auto text = text_of(piece);
        const auto there = std::string_view{arrived}.substr(at, text.size());
        const auto next_mark = there.find(kMark, piece.is_marked ? 1 : 0);
        const auto part = piece.is_certain ? there : there.substr(0, next_mark);
        const bool is_part = part == std::string_view{text}.substr(0, part.size());
        if (piece.is_certain && (!is_part || part.size() < text.size())) {
            const auto same = std::mismatch(part.begin(), part.end(), text.begin()).first - part.begin();
            return {"input byte " + std::to_string(piece.place + static_cast<std::uint64_t>(same)) +
                    " was acknowledged and did not arrive in its place; there stands \"" +
                    arrived.substr(at + static_cast<std::size_t>(same), 64) + "\""};
        }
        if (is_part) at += part.size();
    }
    if (at < arrived.size())
        return {"behind all that was sent came " + std::to_string(arrived.size() - at) + " bytes more: \"" +
                arrived.substr(at, 64) + "\""};
    return {};
}

}  // namespace pp::torture
