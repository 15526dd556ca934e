#include "hub/mcp/http_message.h"

#include <algorithm>

namespace pp::hub::mcp {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string percent_decoded(const std::string& text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            decoded += text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

}  // namespace

std::string HttpRequest::header(const std::string& lower_name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& header) { return header.first == lower_name; });
    return found == headers.end() ? std::string{} : found->second;
}

bool HttpRequest::has(const std::string& lower_name) const { return count(lower_name) > 0; }

std::size_t HttpRequest::count(const std::string& lower_name) const {
    return static_cast<std::size_t>(std::count_if(
        headers.begin(), headers.end(), [&](const auto& header) { return header.first == lower_name; }));
}

std::string HttpRequest::path() const { return target.substr(0, target.find('?')); }

std::string HttpRequest::query(const std::string& name) const {
    const auto question = target.find('?');
    if (question == std::string::npos) return {};
    std::size_t begin = question + 1;
    while (begin <= target.size()) {
        const auto end = std::min(target.find('&', begin), target.size());
        const auto pair = target.substr(begin, end - begin);
        const auto equals = pair.find('=');
        if (equals != std::string::npos && pair.substr(0, equals) == name) return percent_decoded(pair.substr(equals + 1));
        begin = end + 1;
    }
    return {};
}

}  // namespace pp::hub::mcp
