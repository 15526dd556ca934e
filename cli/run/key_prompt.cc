#include "cli/run/key_prompt.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace pp::cli {
namespace {

constexpr std::string_view kQuestion = "\r\npp: stop · detach · keep watching [s/d/k], Ctrl-C again detaches: ";

void tell(std::string_view text) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

std::optional<Choice> choice_of(char key) {
    switch (key) {
        case 's':
        case 'S':
            return Choice::stop;
        case 'd':
        case 'D':
        case '\x04':
            return Choice::detach;  // Ctrl-D
        case 'k':
        case 'K':
            return Choice::keep;
        default:
            return std::nullopt;
    }
}

std::string_view word_for(Choice choice) {
    switch (choice) {
        case Choice::stop:
            return "stop\r\n";
        case Choice::detach:
            return "detach\r\n";
        case Choice::keep:
            return "keep watching\r\n";
    }
    return "";
}

}  // namespace

RawKeys::RawKeys(int terminal) : terminal_{terminal} {
    if (::tcgetattr(terminal_, &before_) != 0) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(terminal_, TCSADRAIN, &raw) == 0;
}

RawKeys::~RawKeys() {
    if (changed_) ::tcsetattr(terminal_, TCSADRAIN, &before_);
}

bool KeyPrompt::can_ask() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1 &&
           ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

KeyPrompt::KeyPrompt(os::Loop& loop, std::function<void(Choice)> on_choice)
    : keys_{STDIN_FILENO},
      on_choice_{std::move(on_choice)},
      watch_{loop, STDIN_FILENO, POLLIN, [this](short) { on_readable(); }} {
    tell(kQuestion);
}

KeyPrompt::~KeyPrompt() {
    if (!answered_) tell("\r\n");
}

void KeyPrompt::on_readable() {
    char key = 0;
    const ssize_t got = ::read(STDIN_FILENO, &key, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    const auto choice = got <= 0 ? std::optional{Choice::detach} : choice_of(key);
    if (!choice) return;
    answered_ = true;
    tell(word_for(*choice));
    const auto answer = on_choice_;  // it may end this prompt
    answer(*choice);
}

}  // namespace pp::cli
