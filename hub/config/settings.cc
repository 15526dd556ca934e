#include "hub/config/settings.h"

#include <charconv>
#include <sstream>

#include "protocol/os/read_file.h"
#include "protocol/rundir/nearest.h"

namespace pp::hub {
namespace {

/// What may be written under [hub].
const std::vector<std::string> kKeys{"port", "auth"};

std::string trimmed(const std::string& text) {
    const auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::string without_comment(const std::string& line) {
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quote != 0) {
            if (line[i] == quote) quote = 0;
        } else if (line[i] == '"' || line[i] == '\'') {
            quote = line[i];
        } else if (line[i] == '#') {
            return line.substr(0, i);
        }
    }
    return line;
}

/// The text of "x" or 'x'; nothing if it is no string.
std::optional<std::string> find_string(const std::string& value) {
    const bool quoted =
        value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
    return quoted ? std::optional{value.substr(1, value.size() - 2)} : std::nullopt;
}

/// A line of the file, taken apart.
struct Entry {
    std::string where;  ///< file:line:column of its value
    std::string key;
    std::string value;
};

/// Whoever meant to close the door does not find it open: all but "user" asks for the token.
void take_auth(Settings& settings, const Entry& entry) {
    const auto auth = find_string(entry.value);
    settings.needs_token = auth != "user";
    if (auth != "user" && auth != "token")
        settings.problems.push_back(
            entry.where + ": auth is " + entry.value +
            "; it must be \"user\" or \"token\", and until it is, TCP asks for the token");
}

void take_port(Settings& settings, const Entry& entry) {
    if (const auto port = find_port(entry.value))
        settings.port = *port;
    else
        settings.problems.push_back(entry.where + ": port is " + entry.value +
                                    "; it must be a number from 0 to 65535, and until it is, " +
                                    std::to_string(settings.port) + " is taken");
}

void take(Settings& settings, const Entry& entry) {
    if (entry.key == "port") return take_port(settings, entry);
    if (entry.key == "auth") return take_auth(settings, entry);
    const auto meant = rundir::find_nearest(entry.key, kKeys);
    if (meant == "auth") settings.needs_token = true;
    settings.problems.push_back(entry.where + ": there is no key '" + entry.key + "' in [hub]; " +
                                (meant ? "did you mean '" + *meant + "'?" : "it takes port and auth") +
                                (meant == "auth" ? " Until that is clear, TCP asks for the token" : ""));
}

/// Reads a config.toml line by line: what is in [hub], or is written hub.key before any section. All else in
/// the file is for others.
class ConfigReader {
  public:
    ConfigReader(Settings& settings, std::string path) : settings_{settings}, path_{std::move(path)} {}

    void read(const std::string& line) {
        ++number_;
        const auto content = without_comment(line);
        const auto text = trimmed(content);
        if (text.empty()) return;
        if (text.front() == '[') return read_section(content, text);
        const auto equals = content.find('=');
        auto key = trimmed(content.substr(0, equals));
        if (section_.empty() && key.starts_with("hub."))
            key.erase(0, 4);
        else if (section_ != "hub" && !(section_.empty() && key == "hub"))
            return;
        const auto value = equals == std::string::npos ? "" : trimmed(content.substr(equals + 1));
        if (value.empty() || (section_.empty() && key == "hub")) return refuse(content, text);
        take(settings_,
             {place(content.find_first_not_of(" \t", equals + 1)), find_string(key).value_or(key), value});
    }

  private:
    void read_section(const std::string& content, const std::string& text) {
        section_ = text.back() == ']' ? trimmed(text.substr(1, text.size() - 2)) : text;
        if (text.back() != ']')
            settings_.problems.push_back(place(content.find('[')) + ": " + text +
                                         " is no section; it must be like [hub]");
    }

    /// It may have been meant for auth.
    void refuse(const std::string& content, const std::string& text) {
        settings_.needs_token = true;
        settings_.problems.push_back(place(content.find_first_not_of(" \t")) + ": '" + text +
                                     "' is not understood; it must be like port = 8947, in [hub]. Until it "
                                     "is, TCP asks for the token");
    }

    [[nodiscard]] std::string place(std::size_t column) const {
        return path_ + ":" + std::to_string(number_) + ":" + std::to_string(column + 1);
    }

    Settings& settings_;
    std::string path_;
    std::string section_;
    int number_ = 0;
};

void read_config(Settings& settings, const std::string& path) {
    const auto content = os::find_file_content(path, 1u << 20);
    if (!content) return;
    ConfigReader reader{settings, path};
    std::istringstream lines{*content};
    for (std::string line; std::getline(lines, line);) reader.read(line);
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
                                        "'; it must be a number from 0 to 65535, and until it is, " +
                                        std::to_string(settings.port) + " is taken");
    }
    return settings;
}

}  // namespace pp::hub
