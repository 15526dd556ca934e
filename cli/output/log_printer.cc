#include "cli/output/json_text.h"
#include "cli/output/log_printer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "protocol/rundir/process_view.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// A longer line is shown in parts: one of a gigabyte must not be held.
constexpr std::size_t kLongestLine = 1u << 20;

std::size_t lane_of(ring::Stream stream) {
    return static_cast<std::size_t>(stream) % 4;
}

const char* stream_name(ring::Stream stream) {
    switch (stream) {
        case ring::Stream::merged:
            return "combined";
        case ring::Stream::out:
            return "stdout";
        case ring::Stream::err:
            return "stderr";
        case ring::Stream::note:
            return "pp";
    }
    return "combined";
}

}  // namespace

LogPrinter::LogPrinter(Options options, Write write)
    : options_{options}, write_{std::move(write)}, holding_{options.last_lines.has_value()} {}

void LogPrinter::feed(const ring::Piece& piece) {
    lose(piece.lost);
    if (by_lines()) return feed_lines(piece);
    if (!options_.plain) return write_(piece.text());
    std::string text;
    plain_.feed(piece.text(), text, lane_of(piece.stream));
    if (!text.empty()) write_(text);
}

void LogPrinter::lose(std::uint64_t bytes) {
    if (bytes == 0) return;
    flush();
    losses_.add(bytes);
}

void LogPrinter::feed_lines(const ring::Piece& piece) {
    Line& line = unfinished_[lane_of(piece.stream)];
    auto rest = piece.text();
    std::uint64_t cursor = piece.begin;
    while (!rest.empty()) {
        if (line.text.empty()) line = {{}, cursor, piece.time_ns, piece.run};
        const auto newline = rest.find('\n');
        const auto size = std::min(
            {newline == std::string_view::npos ? rest.size() : newline + 1, kLongestLine - line.text.size()});
        line.text += rest.substr(0, size);
        rest.remove_prefix(size);
        cursor += size;
        if (line.text.ends_with('\n') || line.text.size() == kLongestLine) end_line(piece.stream);
    }
}

void LogPrinter::end_line(ring::Stream stream) {
    Line& line = unfinished_[lane_of(stream)];
    if (line.text.ends_with('\n')) line.text.pop_back();
    emit(std::exchange(line, {}), stream);
}

void LogPrinter::emit(const Line& line, ring::Stream stream) {
    const std::string text = options_.plain ? plain_line(line.text) : line.text;
    if (options_.filter != nullptr && !options_.filter->matches(text)) return;
    std::string shown = (options_.json ? json_line(line, stream, text) : text) + '\n';
    if (!holding_) return write_(shown);
    held_.push_back(std::move(shown));
    if (held_.size() > *options_.last_lines) held_.pop_front();
}

std::string LogPrinter::plain_line(const std::string& text) const {
    ring::PlainText plain{{.fold_repeats = false}};
    std::string shown;
    plain.feed(text, shown);
    plain.finish(shown);
    return shown;
}

std::string LogPrinter::json_line(const Line& line, ring::Stream stream, const std::string& text) {
    const json object{{"cursor", line.cursor},
                      {"time", line.time_ns == 0 ? json{} : json(rundir::iso_time(line.time_ns))},
                      {"stream", stream_name(stream)},
                      {"run", line.run == 0 ? json{} : json(line.run)},
                      {"text", text}};
    return json_text(object);
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
    for (const auto stream :
         {ring::Stream::merged, ring::Stream::out, ring::Stream::err, ring::Stream::note}) {
        if (!unfinished_[lane_of(stream)].text.empty()) end_line(stream);
    }
    release();
    if (by_lines() || !options_.plain) return;
    std::string text;
    plain_.finish(text);
    if (!text.empty()) write_(text);
}

}  // namespace pp::cli
