#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/output/loss_notice.h"
#include "protocol/ring/line_pattern.h"
#include "protocol/ring/lines.h"
#include "protocol/ring/plain_text.h"

namespace pp::cli {

/// Turns the pieces of a log into what `pp logs` writes: bytes as they are, plain text, chosen lines, or a
/// JSON object per line. What was lost is said on stderr.
class LogPrinter {
  public:
    struct Options {
        bool plain = false;
        bool json = false;
        const ring::LinePattern* filter = nullptr;  ///< borrowed
        /// Of what was fed before release(), only so many last lines; where lines are looked at anyway.
        std::optional<std::size_t> last_lines;
    };
    using Write = std::function<void(std::string_view)>;

    LogPrinter(Options options, Write write);
    LogPrinter(const LogPrinter&) = delete;
    LogPrinter& operator=(const LogPrinter&) = delete;

    void feed(const ring::Piece& piece);
    /// So many bytes before what comes next are nowhere any more.
    void lose(std::uint64_t bytes);
    /// Nothing more comes for now: what is held back is shown, lines that are looked at as a whole excepted.
    void flush();
    /// Writes the last lines that were held, and from now on every line.
    void release();
    /// The end: an unfinished line is one too.
    void finish();
    void set_write(Write write) { write_ = std::move(write); }

  private:
    void emit(const ring::Line& line);
    [[nodiscard]] bool by_lines() const { return options_.json || options_.filter != nullptr; }

    Options options_;
    Write write_;
    ring::PlainText plain_;
    ring::Lines lines_;
    std::deque<std::string> held_;
    bool holding_;
    LossNotice losses_;
};

}  // namespace pp::cli
