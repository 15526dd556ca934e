#pragma once

#include <termios.h>

#include <functional>
#include <memory>

#include "protocol/os/loop.h"

namespace pp::cli {

/// A terminal that gives out single keys, unseen, for as long as this lives. Ctrl-C stays a signal.
class RawKeys {
  public:
    explicit RawKeys(int terminal);
    ~RawKeys();
    RawKeys(const RawKeys&) = delete;
    RawKeys& operator=(const RawKeys&) = delete;

  private:
    int terminal_;
    termios before_{};
    bool changed_ = false;
};

enum class Choice { stop, detach, keep };

/// Asks on stderr what is to become of the process; one key answers. It is taken down by its answer, by another Ctrl-C,
/// and by the end of the process.
class KeyPrompt {
  public:
    /// stdin and stderr are a terminal, and we are in its foreground.
    static bool can_ask();

    KeyPrompt(os::Loop& loop, std::function<void(Choice)> on_choice);
    /// Unanswered, it leaves its line, so that what comes next begins one.
    ~KeyPrompt();
    KeyPrompt(const KeyPrompt&) = delete;
    KeyPrompt& operator=(const KeyPrompt&) = delete;

  private:
    void on_readable();

    RawKeys keys_;
    std::function<void(Choice)> on_choice_;
    os::Loop::Watch watch_;
    bool answered_ = false;
};

}  // namespace pp::cli
