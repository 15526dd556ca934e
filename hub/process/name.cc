#include "hub/process/name.h"

#include <algorithm>
#include <cctype>

namespace pp::hub {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxSlug = 40;

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool looks_like_pid_or_id(const std::string& name) {
    const std::size_t from = !name.empty() && name[0] == 'p' ? 1 : 0;
    return name.size() > from &&
           std::all_of(name.begin() + static_cast<std::ptrdiff_t>(from), name.end(), is_digit);
}

/// Whole words only, as long as there is more than one.
std::string cut(const std::string& slug) {
    if (slug.size() <= kMaxSlug) return slug;
    const auto dash = slug.rfind('-', kMaxSlug);
    return slug.substr(0, dash == std::string::npos || dash == 0 ? kMaxSlug : dash);
}

/// "/usr/bin/python3 x.py" → "python3 x.py": where a program lies says nothing about what it is.
std::string without_path_of_program(const std::string& command) {
    const auto end = std::min(command.find(' '), command.size());
    const auto slash = command.rfind('/', end == 0 ? 0 : end - 1);
    return slash == std::string::npos || slash + 1 >= end ? command : command.substr(slash + 1);
}

}  // namespace

std::optional<std::string> complaint_about_name(const std::string& name) {
    const auto allowed = [](char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; };
    if (name.empty()) return "the name is empty; leave it out to get one made of the command";
    if (name.size() > kMaxName) return "the name is longer than " + std::to_string(kMaxName) + " characters";
    if (!std::all_of(name.begin(), name.end(), allowed) || !is_word(name[0]))
        return "the name '" + name +
               "' may hold letters, digits, '.', '_' and '-' only, and begins with a letter or digit";
    if (looks_like_pid_or_id(name))
        return "the name '" + name + "' would be taken for a pid or an id; put a word before the number";
    return std::nullopt;
}

std::string slug_of(const std::string& command) {
    std::string slug;
    for (const char c : without_path_of_program(command)) {
        if (is_word(c))
            slug += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        else if (c == '_' && !slug.empty())
            slug += c;
        else if (!slug.empty() && slug.back() != '-')
            slug += '-';
    }
    slug = cut(slug);
    while (!slug.empty() && (slug.back() == '-' || slug.back() == '_')) slug.pop_back();
    if (slug.empty()) return "process";
    return looks_like_pid_or_id(slug) ? "run-" + slug : slug;
}

std::string choose_name(const std::string& command, const std::string& directory,
                        const std::function<bool(const std::string&)>& is_taken) {
    std::string name = slug_of(command);
    if (!is_taken(name)) return name;
    const std::string place = directory.substr(directory.rfind('/') + 1);
    if (!place.empty()) {
        name = cut(slug_of(place)) + "-" + name;
        name.resize(std::min(name.size(), kMaxName - 8));
    }
    for (int number = 1;; ++number) {
        const std::string numbered = number == 1 ? name : name + "-" + std::to_string(number);
        if (!is_taken(numbered)) return numbered;
    }
}

}  // namespace pp::hub
