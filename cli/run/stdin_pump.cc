#include "cli/run/stdin_pump.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "cli/failure.h"
#include "protocol/wire/base64.h"

namespace pp::cli {
namespace {

constexpr std::size_t kPiece = 32u << 10;

/// Bytes that a UTF-8 character of this first byte takes; 0 if none begins so.
std::size_t character_size(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first < 0xE0) return 2;
    if (first >= 0xE0 && first < 0xF0) return 3;
    if (first >= 0xF0 && first < 0xF5) return 4;
    return 0;
}

/// The second byte rules out what is too long, a surrogate, or beyond the last character.
bool may_follow(unsigned char first, unsigned char second) {
    if (second < 0x80 || second > 0xBF) return false;
    if (first == 0xE0) return second >= 0xA0;
    if (first == 0xED) return second < 0xA0;
    if (first == 0xF0) return second >= 0x90;
    if (first == 0xF4) return second < 0x90;
    return true;
}

}  // namespace

WholeText whole_text(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto first = static_cast<unsigned char>(bytes[at]);
        const std::size_t size = character_size(first);
        if (size == 0) return {at, false};
        for (std::size_t i = 1; i < size; ++i) {
            if (at + i == bytes.size()) return {at, true};
            const auto next = static_cast<unsigned char>(bytes[at + i]);
            const bool fits = i == 1 ? may_follow(first, next) : next >= 0x80 && next <= 0xBF;
            if (!fits) return {at, false};
        }
        at += size;
    }
    return {at, false};
}

StdinPump::StdinPump(os::Loop& loop, HubClient& hub, std::string process, Owner owner)
    : hub_{hub},
      process_{std::move(process)},
      owner_{std::move(owner)},
      watch_{loop, STDIN_FILENO, POLLIN, [this](short) { on_readable(); }} {}

void StdinPump::pause(bool paused) {
    paused_ = paused;
    settle();
}

void StdinPump::settle() {
    watch_.pause(paused_ || asking_ || at_end_);
}

void StdinPump::on_readable() {
    std::array<char, kPiece> buffer;
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0)
        at_end_ = true;
    else
        pending_.append(buffer.data(), static_cast<std::size_t>(got));
    send();
}

/// JSON carries text alone: what is no text goes as base64. A character cut at the end of a piece waits for
/// its rest.
void StdinPump::send() {
    const auto whole = whole_text(pending_);
    const bool wait_for_rest = whole.unfinished && !at_end_;
    nlohmann::json arguments{{"process", process_}};
    std::size_t sent = pending_.size();
    if (whole.size == pending_.size() || (wait_for_rest && whole.size > 0)) {
        sent = whole.size;
        arguments["text"] = pending_.substr(0, sent);
    } else if (wait_for_rest) {
        settle();
        return;
    } else {
        arguments["base64"] = wire::to_base64(pending_);
    }
    if (at_end_ && sent == pending_.size()) arguments["eof"] = true;
    asking_ = true;
    settle();
    try {
        hub_.ask("send_input", arguments.dump(),
                 [this, sent](const Answer& answer) { on_answer(answer, sent); });
    } catch (const Failure& failure) {  // no hub: the process is still worth watching
        on_answer({failure.exit(), {}, failure.what()}, sent);
    }
}

void StdinPump::on_answer(const Answer& answer, std::size_t sent) {
    asking_ = false;
    const auto result = nlohmann::json::parse(answer.result, nullptr, false);
    const bool is_answered = answer.exit == Exit::done || answer.exit == Exit::timed_out;
    if (!is_answered || !result.is_object()) {
        at_end_ = true;
        settle();
        owner_.on_refused(answer);
        return;
    }
    const auto taken = result.value("taken", sent);
    pending_.erase(0, std::min(taken, sent));
    if (!pending_.empty() && (taken < sent || at_end_)) return send();  // it may read again by now: the answer comes when it does
    if (at_end_) return owner_.on_end();
    settle();
}

}  // namespace pp::cli
