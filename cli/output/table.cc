#include "cli/output/table.h"

#include <algorithm>
#include <utility>

#include "protocol/ring/plain_text.h"

namespace pp::cli {
namespace {

constexpr std::size_t kBetween = 2;

/// The first `characters` of valid UTF-8, ended by … if something was cut.
std::string cut(const std::string& text, std::size_t characters) {
    if (ring::count_characters(text) <= characters) return text;
    std::size_t at = 0;
    for (std::size_t taken = 0; at < text.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
        if (begins && ++taken == characters) break;
    }
    return text.substr(0, at) + "…";
}

}  // namespace

Table::Table(std::vector<std::string> titles) {
    std::vector<Cell> row;
    for (auto& title : titles) row.push_back({std::move(title), Colour::bold});
    rows_.push_back(std::move(row));
}

void Table::add(std::vector<Cell> row) {
    rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], ring::count_characters(row[i].text));
    }
    return widths;
}

std::string Table::text(bool colours, std::size_t width) const {
    const auto columns = widths();
    std::string text;
    for (const auto& row : rows_) {
        std::size_t used = 0;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool last = i + 1 == row.size();
            const std::string shown =
                last && width > used + kBetween ? cut(row[i].text, width - used) : row[i].text;
            text += coloured(shown, row[i].colour, colours);
            if (last) continue;
            text.append(columns[i] - ring::count_characters(shown) + kBetween, ' ');
            used += columns[i] + kBetween;
        }
        text += '\n';
    }
    return text;
}

}  // namespace pp::cli
