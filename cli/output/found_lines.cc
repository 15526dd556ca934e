#include "cli/output/found_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/output/print.h"
#include "cli/output/style.h"
#include "protocol/ring/plain_text.h"

namespace pp::cli {
namespace {

using nlohmann::json;

/// Where a character of a text begins.
std::size_t offset_of(const std::string& text, std::size_t character) {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
        if (begins && character-- == 0) break;
    }
    return at;
}

/// The text, with what matched in it in colour. The hub has made it plain; it is not believed blindly.
std::string shown(const json& line, bool colour) {
    auto text = line.at("text").get<std::string>();
    const auto& match = line.at("match");
    if (!colour || match.is_null()) return ring::plain_view(text);
    const auto begin = offset_of(text, match.at(0).get<std::size_t>());
    const auto end = std::max(begin, offset_of(text, match.at(1).get<std::size_t>()));
    return ring::plain_view(text.substr(0, begin)) + coloured(ring::plain_view(text.substr(begin, end - begin)), Colour::red, true) +
           ring::plain_view(text.substr(end));
}

}  // namespace

std::string FoundLines::text(const json& process, const std::string& name) {
    const auto id = process.at("process").get<std::string>();
    std::string text;
    for (const auto& line : process.at("lines")) {
        const bool begins = last_ != id || line.value("after_gap", false);
        if (style_.groups && begins && !last_.empty()) text += coloured("--", Colour::dim, style_.colour) + "\n";
        last_ = id;
        text += line_text(line, name);
    }
    return text;
}

std::string FoundLines::line_text(const json& line, const std::string& name) const {
    const std::string separator = line.at("match").is_null() ? "-" : ":";
    const auto& number = line.at("line");
    auto front = style_.names ? printable(name) + separator : "";
    front += (number.is_null() ? "?" : number.dump()) + separator;
    auto text = coloured(front, Colour::dim, style_.colour) + (line.value("partial", false) ? "…" : "") +
                shown(line, style_.colour);
    if (const auto left_out = line.value("left_out", 0); left_out > 0)
        text += " (" + std::to_string(left_out) + " characters left out)";
    return text + "\n";
}

}  // namespace pp::cli
