#include "hub/config/settings.h"

#include <charconv>
#include <sstream>

#include "protocol/os/read_file.h"

namespace pp::hub {
namespace {

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string without_comment(const std::string& line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"') quoted = !quoted;
        if (line[i] == '#' && !quoted) return line.substr(0, i);
    }
    return line;
}

void take(Settings& settings, const std::string& where, const std::string& key, const std::string& value) {
    if (key == "port") {
        if (const auto port = find_port(value))
            settings.port = *port;
        else
            settings.problems.push_back(where + ": port is " + value +
                                        "; it must be a number from 0 to 65535");
    } else if (key == "auth") {
        if (value != "\"token\"" && value != "\"user\"")
            settings.problems.push_back(where + ": auth is " + value + "; it must be \"user\" or \"token\"");
        settings.needs_token = value != "\"user\"";  // who meant to close the door does not find it open
    }
}

/// The keys of [hub] that this version knows; all else in the file is for others.
void read_config(Settings& settings, const std::string& path) {
    const auto content = os::find_file_content(path, 1u << 20);
    if (!content) return;
    std::istringstream lines{*content};
    std::string section;
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        const std::string text = trimmed(without_comment(line));
        if (text.starts_with('[')) section = text;
        const auto equals = text.find('=');
        if (section != "[hub]" || equals == std::string::npos) continue;
        take(settings, path + ":" + std::to_string(number), trimmed(text.substr(0, equals)),
             trimmed(text.substr(equals + 1)));
    }
}

}  // namespace

std::optional<int> find_port(const std::string& text) {
    int port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool is_whole = error == std::errc{} && end == text.data() + text.size() && !text.empty();
    return is_whole && port >= 0 && port <= 65535 ? std::optional{port} : std::nullopt;
}

Settings load_settings(const rundir::Home& home, const rundir::Environment& environment) {
    Settings settings;
    read_config(settings, home.user_config());
    if (const auto given = environment.find("PP_PORT");
        given != environment.end() && !given->second.empty()) {
        if (const auto port = find_port(given->second))
            settings.port = *port;
        else
            settings.problems.push_back("PP_PORT is '" + given->second +
                                        "'; it must be a number from 0 to 65535");
    }
    return settings;
}

}  // namespace pp::hub
