#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/line_filter.h"
#include "cli/output/loss_notice.h"
#include "protocol/ring/plain_text.h"
#include "protocol/ring/tail.h"

namespace pp::cli {

/// Turns the pieces of a log into what `pp logs` writes: bytes as they are, plain text, chosen lines, or a
/// JSON object per line. What was lost is said on stderr.
class LogPrinter {
  public:
    struct Options {
        bool plain = false;
        bool json = false;
        const LineFilter* filter = nullptr;  ///< borrowed
        /// Of what was fed before release(), only so many last lines; where lines are looked at anyway.
        std::optional<std::size_t> last_lines;
    };
    using Write = std::function<void(std::string_view)>;

    LogPrinter(Options options, Write write);

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
    struct Line {
        std::string text;
        std::uint64_t cursor = 0;
        std::int64_t time_ns = 0;
        std::uint32_t run = 0;
    };
    void feed_lines(const ring::Piece& piece);
    void end_line(ring::Stream stream);
    void emit(const Line& line, ring::Stream stream);
    [[nodiscard]] std::string plain_line(const std::string& text) const;
    [[nodiscard]] static std::string json_line(const Line& line, ring::Stream stream,
                                               const std::string& text);
    [[nodiscard]] bool by_lines() const { return options_.json || options_.filter != nullptr; }

    Options options_;
    Write write_;
    ring::PlainText plain_;
    std::array<Line, 4> unfinished_;  ///< by stream
    std::deque<std::string> held_;
    bool holding_;
    LossNotice losses_;
};

}  // namespace pp::cli
