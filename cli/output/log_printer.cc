#include "cli/output/log_printer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/output/json_text.h"
#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

std::string json_line(const ring::Line& line, const std::string& text) {
    const json object{{"cursor", line.begin},
                      {"time", line.time_ns == 0 ? json{} : json(rundir::iso_time(line.time_ns))},
                      {"stream", ring::stream_name(line.stream)},
                      {"run", line.run == 0 ? json{} : json(line.run)},
                      {"text", text}};
    return json_text(object);
}

}  // namespace

LogPrinter::LogPrinter(Options options, Write write)
    : options_{options}, write_{std::move(write)},
      lines_{[this](const ring::Line& line) { emit(line); }}, holding_{options.last_lines.has_value()} {}

void LogPrinter::feed(const ring::Piece& piece) {
    lose(piece.lost);
    if (by_lines()) return lines_.feed(piece);
    if (!options_.plain) return write_(piece.text());
    std::string text;
    plain_.feed(piece.text(), text, ring::lane_of(piece.stream));
    if (!text.empty()) write_(text);
}

void LogPrinter::lose(std::uint64_t bytes) {
    if (bytes == 0) return;
    flush();
    losses_.add(bytes);
}

void LogPrinter::emit(const ring::Line& line) {
    const std::string text = options_.plain ? ring::plain_view(line.bytes) : line.bytes;
    if (options_.filter != nullptr && !options_.filter->matches(text)) return;
    std::string shown = (options_.json ? json_line(line, text) : text) + '\n';
    if (!holding_) return write_(shown);
    held_.push_back(std::move(shown));
    if (held_.size() > *options_.last_lines) held_.pop_front();
}

void LogPrinter::flush() {
    if (by_lines() || !options_.plain) return;
    std::string text;
    plain_.flush(text);
    if (!text.empty()) write_(text);
}

void LogPrinter::release() {
    holding_ = false;
    for (const auto& line : std::exchange(held_, {})) write_(line);
}

void LogPrinter::finish() {
    losses_.finish();
    lines_.finish();
    release();
    if (by_lines() || !options_.plain) return;
    std::string text;
    plain_.finish(text);
    if (!text.empty()) write_(text);
}

}  // namespace pp::cli
